"""The load under torment, and the verdict on it: a table, and what was not as it has to be."""

import asyncio
import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.system.chaos.answering import TOKENS, Asked, is_for_a_model, request, turns
from tests.system.chaos.asked import asks
from tests.system.chaos.deployment import LEASE, Deployment
from tests.system.chaos.load import USERS, Effects, Place, effects
from tests.system.chaos.sessions import SessionLoad
from tests.system.chaos.torment import Blow, Keeper, Torment, on_execution
from tests.system.models.fake import Remote

LEAST_SECONDS = 15.0
SECONDS_PER_RUN = 0.4
"""How long the torment goes on; the requests are spread over the same time."""
PATIENCE = 45.0
"""Seconds beyond twice that for everything to end."""
STORE_ROUNDS = 3
LOG_LINES = 8


class Chaos:
    """So many runs in several sessions of several users, while everything that can fail does."""

    def __init__(
        self,
        deployment: Deployment,
        provider: Remote,
        runs: int,
        seed: int,
        *,
        repeats: bool = True,
    ) -> None:
        self.deployment = deployment
        self._provider = provider
        self.seed = seed
        self.seconds = LEAST_SECONDS + SECONDS_PER_RUN * runs
        places = [Place(n) for n in range(max(2 * len(USERS), runs // 10))]
        self.sessions = [
            SessionLoad(place, deployment.urls, deployment.workspaces, seed,
                        range(place.number, runs, len(places)), repeats=repeats, asking=request)
            for place in places
        ]  # fmt: skip
        self.torment = Torment(seed, self.seconds, LEASE)
        self.keepers = [Keeper(service) for service in deployment.services]
        self.elapsed = 0.0

    async def open(self) -> None:
        """Open every session, before anything fails."""
        await asyncio.gather(*(session.open() for session in self.sessions))

    async def run(self, on_stores: dict[str, Blow]) -> None:
        """Let everything happen at once; fail when it does not end in time."""
        started = time.monotonic()
        limit = 2 * self.seconds + PATIENCE
        try:
            async with asyncio.timeout(limit), self._kept(), asyncio.TaskGroup() as group:
                for session in self.sessions:
                    group.create_task(session.live(self.seconds))
                for dealing in self._blows(on_stores):
                    group.create_task(dealing)
        except TimeoutError as error:
            self.elapsed = time.monotonic() - started
            raise AssertionError(f"after {limit:.0f} s\n{self.picture()}") from error
        self.elapsed = time.monotonic() - started

    def _blows(self, on_stores: dict[str, Blow]):
        execution, *orchestrators = self.keepers
        for n, keeper in enumerate(orchestrators):
            blows = self.torment.on_orchestrator(keeper, f"orchestrator {n}")
            yield self.torment.deal(f"orchestrator {n}", blows, max(1, round(self.seconds / 15)))
        yield self.torment.deal("execution environment", on_execution(execution),
                                max(2, round(self.seconds / 10)))  # fmt: skip
        yield self.torment.deal("store", on_stores, STORE_ROUNDS)

    @contextlib.asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """Look after the services; none stays paused."""
        keeping = [asyncio.create_task(keeper.keep()) for keeper in self.keepers]
        try:
            yield
        finally:
            for task, keeper in zip(keeping, self.keepers, strict=True):
                task.cancel()
                keeper.send(signal.SIGCONT)

    def effects(self) -> Effects:
        """Compare the disk with the runs that say they have succeeded."""
        runs = {session.place: session.succeeded() for session in self.sessions}
        others = {session.place: session.unfinished() for session in self.sessions}
        return effects(self.deployment.workspaces, runs, others)

    def endings(self) -> Counter[str]:
        """Count the runs by how they ended."""
        told = (run for session in self.sessions for run in session.runs.values())
        endings = Counter(run["error"]["code"] if run["error"] else run["status"] for run in told)
        return endings + Counter(
            why for session in self.sessions for why in session.unsure.values()
        )

    def overcharged(self) -> list[str]:
        """Return runs for which a model was asked more than once for an answer that was not lost.

        A fault of the provider loses one, and so does the loss of an owner; nothing else does. What the
        run says it has used are the answers that were kept.
        """
        asked, wrong = Asked(self._provider.counts()), []
        for session, number, run in self._runs_of_models():
            used = run["usage"]
            most = turns(number) + asked.faults(number) + session.follower.resumed(run["id"])
            if not turns(number) <= asked.requests(number) <= most:
                wrong.append(f"run {number}: {asked.requests(number)} requests, {most} at most")
            if any(used[kind] != turns(number) * each for kind, each in TOKENS.items()):
                wrong.append(f"run {number}: {used} for {turns(number)} answers")
        return wrong

    def _runs_of_models(self) -> Iterator[tuple[SessionLoad, int, dict[str, Any]]]:
        for session in self.sessions:
            for number, run in session.runs.items():
                if is_for_a_model(number):
                    yield session, number, run

    def doubles(self) -> list[str]:
        """Return what followers were told twice."""
        return [text for session in self.sessions for text in session.follower.doubles()]

    def holes(self) -> list[str]:
        """Return what followers were not told."""
        return [text for session in self.sessions for text in session.follower.holes()]

    def picture(self) -> str:
        """Say what is stuck, and what the services said last."""
        waiting = [text for session in self.sessions for text in session.open_runs()]
        ended = (run for session in self.sessions for run in session.runs.values())
        failed = [f"{run['id']}: {run['error']}" for run in ended if run["error"]]
        told = [
            f"{service.log}:\n" + "\n".join(_last_words(service.log.read_text().splitlines()))
            for service in self.deployment.services
        ]
        return "\n".join([self.table(), *self.torment.times, "not ended:", *waiting, "failed:",
                          *failed, *told])  # fmt: skip

    def table(self) -> str:
        """Return what happened and what came of it, in lines of two columns."""
        followers = [session.follower for session in self.sessions]
        found = self.effects()
        rows: dict[str, object] = {
            "seed": self.seed,
            "sessions": f"{len(self.sessions)} of {len(USERS)} users",
            "runs": sum(len(session.numbers) for session in self.sessions),
            **{f"  {ending}": count for ending, count in sorted(self.endings().items())},
            **dict(sorted(self.torment.dealt.items())),
            **self._asked(),
            **self._answered(),
            "ended by themselves": sum(len(keeper.gave_up) for keeper in self.keepers),
            "followers' connections": sum(follower.connections for follower in followers),
            "events": sum(len(follower.events) for follower in followers),
            "events twice": len(self.doubles()),
            "holes": len(self.holes()),
            "runs left over": sum(len(session.strangers) for session in self.sessions),
            "effects twice": len(found.doubles),
            "effects lost": len(found.lost),
            "effects that nobody has approved": len(found.unapproved),
            "sessions out of order": len(found.swapped),
            "seconds": f"{self.elapsed:.1f}",
        }
        return "\n".join(f"{name:<36}{value}" for name, value in rows.items())

    def _asked(self) -> dict[str, object]:
        """Return what models were asked, and what for."""
        asked, runs = Asked(self._provider.counts()), list(self._runs_of_models())
        return {
            "runs by a model": len(runs),
            "  requests to it": asked.requests(),
            "  answers kept": sum(turns(number) for _, number, _ in runs),
            "  faults of the provider": asked.faults(),
            "  owners lost": sum(s.follower.resumed(run["id"]) for s, _, run in runs),
            "  tokens lost": sum(run["usage"]["lost_tokens"] for *_, run in runs),
        }

    def _answered(self) -> dict[str, object]:
        """Return what people were asked, and what they have said."""
        said = sum((session.person.said for session in self.sessions), Counter[str]())
        numbers = [number for session in self.sessions for number in session.numbers]
        return {
            "runs that ask a person": len([number for number in numbers if asks(number)]),
            **{f"  {what}": count for what, count in sorted(said.items())},
            "  answers or effects out of turn": sum(len(s.person.wrong) for s in self.sessions),
        }


def _last_words(lines: list[str]) -> list[str]:
    """Return what was logged last, without the ways to it: each thing once."""
    words = []
    for line in lines:
        entry = json.loads(line) if line.startswith("{") else {"event": line}
        causes = str(entry.get("exception", "")).splitlines()[-1:]
        words.append("  ".join([str(entry["event"]).strip(), entry.get("detail", ""), *causes]))
    return list(dict.fromkeys(reversed(words)))[:LOG_LINES]
