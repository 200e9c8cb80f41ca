"""A worker is killed inside a turn: what was decided is done, and not decided again."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.system.chaos import stores
from tests.system.chaos.clients import FINAL
from tests.system.chaos.deployment import deployed, key_of
from tests.system.chaos.load import USERS
from tests.system.chaos.proxy import Hold, Proxy, pass_on
from tests.system.chaos.trees import with_planner

CALLS = 3
STORE, CALL = "store", "call"
MOMENTS = {
    "before the turn's first step is stored": (STORE, b"step.started", 1),
    "before its first call arrives": (
        CALL,
        b"POST /v1/tool-calls ",
        2,
    ),  # the first reads AGENTS.md
    "between two calls": (CALL, b"POST /v1/tool-calls ", 3),
    "before the outcome of a call is stored": (STORE, b"step.succeeded", 2),
    "before the outcome of the last call is stored": (STORE, b"step.succeeded", CALLS),
}
BEFORE_THE_TURN = (STORE, b"decided_at", 1)


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages with a planner that notes when it is asked."""
    source = Path(__file__).with_name("counting.py").read_text()
    return with_planner(tmp_path / "tree", "counting", source)


@pytest.fixture
def killed(tmp_path, tree):
    """Kill the worker of a run when something is on its way, and start it again.

    Return what the run came to, when its planner was asked, and the lines that it has appended.
    """

    async def play(way, text, times):
        hold, asked = Hold(text, times), tmp_path / "asked"
        gates = {STORE: pass_on, CALL: pass_on, way: hold}
        with stores.one_server(tmp_path) as store:
            async with (
                Proxy(store.port, gates[STORE]).serving() as to_store,
                deployed(
                    tmp_path, f"redis://127.0.0.1:{to_store.port}", tree, replicas=1,
                    gate=gates[CALL], ASKED_FILE=str(asked),
                ) as deployment,
            ):  # fmt: skip
                run = await run_over(deployment.orchestrators[0], hold)
        log = deployment.workspaces / USERS[0] / "w" / "log"
        return run["status"], asked.read_text().split(), log.read_text().split()

    return play


async def run_over(service, hold):
    """Start a run, kill its worker at the held moment, start it again; return the ended run."""
    headers = {"Authorization": f"Bearer {key_of(USERS[0])}"}
    async with (
        httpx.AsyncClient(base_url=service.url, headers=headers, trust_env=False) as http,
        asyncio.timeout(60),
    ):
        session = (await http.post("/v1/sessions", json={"workspace": "w"})).json()["id"]
        asked = {"goal": "three lines", "planner": "counting"}
        run = (await http.post(f"/v1/sessions/{session}/runs", json=asked)).json()
        await hold.reached.wait()
        service.kill()
        await asyncio.to_thread(service.start)
        while run["status"] not in FINAL:
            await asyncio.sleep(0.1)
            run = (await http.get(f"/v1/sessions/{session}/runs/{run['id']}")).json()
    return run


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_stored_turn_is_asked_for_once_and_each_of_its_calls_takes_effect_once(
    killed, moment
):
    """A model is paid for each answer, and would give another one the second time."""
    assert await killed(*MOMENTS[moment]) == ("succeeded", ["0", f"{CALLS}"], ["0", "1", "2"])


async def test_a_turn_that_was_not_stored_is_asked_for_again_and_nothing_of_it_was_done(killed):
    """The control: the count shows an answer that was lost."""
    asked = ["0", "0", f"{CALLS}"]
    assert await killed(*BEFORE_THE_TURN) == ("succeeded", asked, ["0", "1", "2"])
