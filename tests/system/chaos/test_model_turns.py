"""The owner of a run is killed while a model decides: another goes on, and pays for no answer twice.

Three replicas, and the provider a process of its own, which counts how often each thing was asked.
"""

import asyncio
import contextlib
import json
import signal
from collections import defaultdict
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from agentic.api import sse
from common.runs import FINAL_EVENTS
from tests.system.chaos import stores
from tests.system.chaos.answering import TOKENS, settings
from tests.system.chaos.deployment import deployed, key_of
from tests.system.chaos.load import USERS
from tests.system.chaos.proxy import Hold, Proxy, pass_on
from tests.system.chaos.trees import Change, copy_of_packages
from tests.system.models.answers import Answer, Rule, calls
from tests.system.models.fake import in_a_process

MAX_OUTPUT = 100_000
"""Reserved for each request beside its length, which is far below: so lost ones can be counted."""
MODEL_SETTINGS = {
    "ORCHESTRATOR_MODEL_CONTEXT": "1000000", "ORCHESTRATOR_MODEL_MAX_OUTPUT": str(MAX_OUTPUT)
}  # fmt: skip
CONVENTION = "Write lines."
LINES = ["0", "1", "2"]


def added(*lines, **more):
    """Return an answer that appends lines."""
    wanted = [("append_file", {"path": "log", "content": f"{line}\n"}) for line in lines]
    return calls(*wanted, text=f"now {' and '.join(lines)}", **TOKENS, **more)


RULES = [
    Rule(results=0, answer=added("0", "1")),
    Rule(results=2, answer=added("2")),
    Rule(results=3, answer=Answer(text="Three lines are there.", **TOKENS)),
]
TURNS = {0: 1, 2: 1, 3: 1}
"""How often the model is asked when nothing fails, by the results that it was shown."""
STORE, CALL, MODEL = "store", "call", "model"
pytestmark = pytest.mark.asyncio(loop_scope="module")
AFTER_THE_TURN = (STORE, b"step.started", 1)
STORED = {
    "while the conventions are read": ((CALL, b"AGENTS.md", 1), 0),
    "between the reservation and the request": ((MODEL, b"POST ", 1), 1),
    "after the turn is stored, before its first call": (AFTER_THE_TURN, 0),
    "between a call and its record": ((STORE, b"step.succeeded", 1), 0),
    "between two calls of a turn": ((STORE, b"step.started", 2), 0),
}
"""Moments at which no answer is lost that was given, and the reservations that are lost."""
LOST = {
    "between the first answer and its turn": ((STORE, b"decided_at", 1), 0),
    "between a later answer and its turn": ((STORE, b"decided_at", 2), 2),
    "between the last answer and the run's end": ((STORE, b'"answer":"', 1), 3),
}
"""Moments at which an answer is lost, and the results that it was asked for with."""
TURN_NOT_STORED = Change(
    "orchestrator/engine/runner.py",
    "            await self._progress.record_turn(run.lease, turn)\n",
    "",
)


class Stage:
    """A deployment whose ways can be held up, for one run after the other."""

    def __init__(self, fake):
        self.fake = fake
        self.deployment = None
        self.gates = dict.fromkeys((STORE, CALL, MODEL), pass_on)
        self.runs = 0

    def gate(self, way):
        """Return what holds up a way as it is set at the moment."""
        return lambda chunk: self.gates[way](chunk)

    async def play(self, way, text, times):
        """Kill the owner of a run when something is on its way for so many times."""
        self.gates[way] = hold = Hold(text, times)
        try:
            return await self.play_until(lambda _run: hold.reached.is_set())
        finally:
            self.gates[way] = pass_on

    async def play_until(self, is_time, *script):
        """Kill the owner of a run when it is time, wake others; return what came of the run."""
        replicas, n = self.deployment.orchestrators, self.runs
        first, *others = replicas[n % len(replicas) :] + replicas[: n % len(replicas)]
        run = Played(self.deployment.workspaces / USERS[0] / f"w{n}", first, others)
        self.runs += 1
        self.fake.forget()
        self.fake.follow(RULES)
        self.fake.add(*script)
        async with asyncio.timeout(100):
            await run.play(is_time)
        run.asked = {results: times for _, results, times in self.fake.counts()["asked"]}
        return run


class Played:
    """A run, and what can be seen of it."""

    def __init__(self, directory, first, others):
        self._directory = directory
        self._first = first
        self._others = others
        self.said = defaultdict(str)
        """By turn and attempt."""
        self.asked = {}
        """How often the model was asked, by the number of results that it was shown."""

    async def play(self, is_time):
        """Start it while one replica is awake; kill that one and start it again, wake the others."""
        self._directory.mkdir(parents=True)
        (self._directory / "AGENTS.md").write_text(CONVENTION)
        self._send_others(signal.SIGSTOP)
        headers = {"Authorization": f"Bearer {key_of(USERS[0])}"}
        async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
            asked = {"workspace": self._directory.name}
            session = (await http.post(f"{self._first.url}/v1/sessions", json=asked)).json()
            path = f"/v1/sessions/{session['id']}"
            following = asyncio.create_task(self._follow(http, f"{self._first.url}{path}"))
            asked = {"goal": "three lines", "planner": "llm"}
            run = (await http.post(f"{self._first.url}{path}/runs", json=asked)).json()
            while not is_time(self):
                await asyncio.sleep(0.02)
            self._first.kill()
            self._send_others(signal.SIGCONT)
            next_url = f"{self._others[0].url}{path}"
            await asyncio.gather(following, self._follow(http, next_url))
            self.run = (await http.get(f"{next_url}/runs/{run['id']}")).json()
        await asyncio.to_thread(self._first.start)

    def _send_others(self, number):
        for service in self._others:
            service.process.send_signal(number)

    async def _follow(self, http, path):
        """Note what is said, until the run ends or the replica does."""
        with contextlib.suppress(httpx.TransportError):
            async with http.stream("GET", f"{path}/events", timeout=60) as answer:
                async for item in sse.parse(answer.aiter_bytes()):
                    if item.event == "text.delta":
                        self._note(json.loads(item.data)["data"])
                    if item.event in FINAL_EVENTS:
                        return

    def _note(self, data):
        text = self.said[data["t"], data["attempt"]]
        self.said[data["t"], data["attempt"]] = text[: data["offset"]] + data["text"]

    @property
    def lines(self):
        """What the run has appended."""
        return (self._directory / "log").read_text().split()

    def require(self, asked, lost):
        """Fail unless the run has succeeded, with these requests, effects once, and each answer paid."""
        used = self.run["usage"]
        kept = {kind: len(TURNS) * tokens for kind, tokens in TOKENS.items()}
        assert (self.run["status"], self.lines, self.asked) == ("succeeded", LINES, asked)
        assert {kind: used[kind] for kind in TOKENS} == kept
        assert used["lost_tokens"] // MAX_OUTPUT == lost
        assert self.run["workspace_instructions"] == CONVENTION


@contextlib.asynccontextmanager
async def staged(directory, tree=None):
    """Yield a deployment, from another tree where one is named."""
    with in_a_process() as fake, stores.one_server(directory) as store:
        stage = Stage(fake)
        to_store = Proxy(store.port, stage.gate(STORE))
        to_model = Proxy(urlsplit(fake.url).port, stage.gate(MODEL))
        async with to_store.serving(), to_model.serving():
            told = settings(f"http://127.0.0.1:{to_model.port}/v1", **MODEL_SETTINGS)
            url = f"redis://127.0.0.1:{to_store.port}"
            async with deployed(directory, url, tree, gate=stage.gate(CALL), **told) as deployment:
                stage.deployment = deployment
                yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory):
    """One deployment for all moments: it takes longer to start than a run does."""
    async with staged(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.mark.parametrize("moment", STORED)
async def test_a_model_is_asked_once_for_each_answer_that_was_stored(stage, moment):
    """An answer costs money, and the second one would be another: what was done would not fit it."""
    (way, text, times), lost = STORED[moment]
    played = await stage.play(way, text, times)
    played.require(TURNS, lost)
    assert sorted(played.said) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("moment", LOST)
async def test_a_model_is_asked_once_more_for_an_answer_that_was_lost(stage, moment):
    """Nothing of it was done; what it may have cost stays charged, and it is no part of what is said."""
    (way, text, times), results = LOST[moment]
    played = await stage.play(way, text, times)
    played.require({**TURNS, results: 2}, 1)
    again = sorted(TURNS).index(results) + 1
    attempts = [turn for turn, _ in sorted(played.said)]
    assert attempts == sorted([1, 2, 3, again])
    assert [attempt for _, attempt in sorted(played.said)] == [1, 2, 3, 4]


async def test_an_answer_that_its_reader_did_not_live_to_hear_is_asked_for_again(stage):
    """Half of it has been shown: the second attempt begins at the beginning, under another number."""
    held = added("0", "1", hold="text")
    played = await stage.play_until(lambda run: run.said and stage.fake.counts()["holding"], held)
    played.require({**TURNS, 0: 2}, 1)
    whole = added("0", "1").text
    assert played.said[1, 2] == whole
    assert whole.startswith(played.said[1, 1])
    assert 0 < len(played.said[1, 1]) < len(whole)


async def test_a_runner_that_stores_no_turn_before_its_calls_is_seen_to_pay_twice(tmp_path):
    """The control: at a moment when the real one has stored its turn, the count shows the difference."""
    tree = copy_of_packages(tmp_path / "tree", [TURN_NOT_STORED])
    async with staged(tmp_path, tree) as stage:
        played = await stage.play(*AFTER_THE_TURN)
    assert (played.lines, played.asked[0]) == (LINES, 2)
