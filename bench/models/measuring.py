"""Measures runs of a model beside runs of a plan that make the same call."""

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agentic.local.stack import running_stack
from bench.models.answering import GOAL, PATH
from bench.models.client import Body, Connection, connected, new_session, one_run
from tests.system.models.fake import in_a_process

ROUNDS = 3
"""The best one counts: what else goes on here only ever makes a run slower."""
SAMPLES = 60
WARM_UP = 10
PARALLEL = 16
RUNS_EACH = 12
"""Of each of the parallel clients, in a round."""
CONTENT = "line\n" * 100
FAKE = "bench.models.answering:over_http"
BY_MODEL = json.dumps({"goal": GOAL, "planner": "llm"}).encode()
BY_PLAN = json.dumps(
    {"plan": {"steps": [{"name": "read", "tool": "read_file", "arguments": {"path": PATH}}]}}
).encode()


@dataclass(frozen=True)
class Sample:
    """One run, as its client sees it: when it was sent (epoch), what it took, both in milliseconds."""

    sent: float
    taken: float
    run: Body


def median(samples: Sequence[Sample]) -> float:
    """Return the median in milliseconds."""
    return statistics.median(sample.taken for sample in samples)


@dataclass(frozen=True)
class Pair:
    """Runs of a plan and of a model, taken in turn."""

    plans: Sequence[Sample]
    models: Sequence[Sample]

    @property
    def more(self) -> float:
        """How much longer a run of the model takes, in milliseconds."""
        return median(self.models) - median(self.plans)


@asynccontextmanager
async def fake_provider() -> AsyncIterator[str]:
    """Yield the base URL of a fake provider in a process of its own."""
    with in_a_process(FAKE) as fake:
        yield fake.openai_url


@asynccontextmanager
async def stack_at(directory: Path, module: str, settings: Mapping[str, str]) -> AsyncIterator[str]:
    """Yield the URL of an orchestrator that this module serves, with a file in the workspace."""
    async with running_stack(directory, settings=settings, orchestrator=module) as stack:
        file = stack.workspaces / "local" / "bench" / PATH
        file.parent.mkdir(parents=True)
        file.write_text(CONTENT)
        yield stack.url


async def in_turn(url: str) -> Pair:
    """Return the best of some rounds of runs, one at a time."""
    async with connected(url) as connection:
        for asked in (BY_PLAN, BY_MODEL):
            await _some(connection, [asked], WARM_UP)
        rounds = [await _round(connection) for _ in range(ROUNDS)]
    return min(rounds, key=lambda pair: median(pair.models))


async def _round(connection: Connection) -> Pair:
    samples = await _some(connection, [BY_PLAN, BY_MODEL], SAMPLES)
    return Pair(samples[::2], samples[1::2])


async def _some(connection: Connection, asked: Sequence[bytes], times: int) -> list[Sample]:
    """Make these runs in turn, each in a session of its own that is there before."""
    made = []
    for body in [*asked] * times:
        session = await new_session(connection)
        sent = time.time() * 1000
        made.append(Sample(sent, *await one_run(connection, session, body)))
    return made


async def side_by_side(url: str) -> float:
    """Return how many runs of the model end in a second, in the best of some rounds."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(url)) for _ in range(PARALLEL)]
        rates = [await _rate(clients) for _ in range(ROUNDS)]
    return max(rates)


async def _rate(clients: Sequence[Connection]) -> float:
    sessions = [[await new_session(client) for _ in range(RUNS_EACH)] for client in clients]

    async def work(client: Connection, sessions: Sequence[str]) -> None:
        for session in sessions:
            await one_run(client, session, BY_MODEL)

    started = time.perf_counter()
    await asyncio.gather(*map(work, clients, sessions))
    return PARALLEL * RUNS_EACH / (time.perf_counter() - started)
