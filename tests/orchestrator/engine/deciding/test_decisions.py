"""Decisions: what a planner is told, what it may use, and what becomes of what it says."""

import pytest

from common.errors import ClientError, ToolError
from common.models import Page
from common.plans import Usage
from common.runs import PlannerSpec
from orchestrator.engine.deciding.earlier import earlier_runs
from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import Ask, Call, CallTools, Finish, ModelAnswer
from orchestrator.store.records import CANCELLED
from tests.orchestrator.builders import document, expire_lease, turn
from tests.orchestrator.fakes import TOOLS, ScriptedExecutor, runner_of, until


class TellingPlanner:
    """Does what a model's planner does: looks around, says something, decides."""

    spec = PlannerSpec(name="rules", description="d")
    converses = False

    def __init__(self, *decisions):
        self.decisions = list(decisions)
        self.told = []

    async def next(self, history, around):
        """Note what it is told; decide as it was scripted."""
        self.told.append((history, around.tools, await around.earlier_runs(5)))
        await around.speech.say("I will ")
        await around.speech.say("é!")
        return self.decisions.pop(0)


class Listed:
    """Runs that can be listed, and have expired by the time that one of them is read."""

    def __init__(self, page):
        self.page = page

    async def list(self, *_):
        """Return the page."""
        return self.page

    async def get(self, *_):
        """Find none."""
        raise ClientError("run_not_found", "it is gone")


ANSWERED = ModelAnswer({"role": "assistant", "id": "x"}, "a-model", Usage(input_tokens=7))


async def test_planner_is_told_what_it_has_decided_verbatim_and_what_is_left(store, leased):
    """A provider wants its own message back, with its signatures."""
    call = Call("a", "read_file", {})
    planner = TellingPlanner(CallTools([call], ANSWERED), Finish("done", ANSWERED))
    lease = await leased()
    await runner_of(store, ScriptedExecutor({"x": 1}), planner).execute(lease, Signals())
    (first, tools, earlier), (second, *_) = planner.told
    assert (first.turns, tools, earlier, second.left.steps) == ([], TOOLS, [], 99)
    [past] = second.turns
    assert (past.message, past.turn.usage.input_tokens) == (ANSWERED.message, 7)
    assert [step.output for step in second.steps] == [{"x": 1}]
    [_, last] = await store.runs.turns(lease.session.id, lease.run.id)
    assert (last.answer, last.model, last.usage.input_tokens) == ("done", "a-model", 7)


@pytest.mark.parametrize(
    ("access", "tools"),
    [("read_only", ["read_file"]), ("read_write", ["read_file", "write_file"])],
)
async def test_planner_is_offered_what_its_run_may_do(store, leased, access, tools):
    """A model that was shown more would try it, again and again."""
    planner = TellingPlanner(Finish("done"))
    await runner_of(store, None, planner).execute(await leased(access=access), Signals())
    [(_, offered, _)] = planner.told
    assert list(offered) == tools


async def test_planner_is_told_what_the_sessions_earlier_runs_came_to(store, leased):
    """A conversation is a session."""
    lease = await leased(goal="first")
    await runner_of(store, None, TellingPlanner(Finish("one"))).execute(lease, Signals())
    later = document(lease.session.id, goal="second")
    await store.runs.create(later, "reject")
    again = await store.leases.acquire(lease.session.id, later.id, "w")
    planner = TellingPlanner(Finish("two"))
    await runner_of(store, None, planner).execute(again, Signals())
    [(_, _, [earlier])] = planner.told
    assert (earlier.goal, earlier.status, earlier.answer) == ("first", "succeeded", "one")


async def test_planner_is_told_what_runs_have_changed_that_did_not_succeed(store, leased):
    """What they did stands: a planner that did not know would do it again."""
    lease = await leased(goal="first")
    failing = TellingPlanner(CallTools([Call("a", "write_file", {}), Call("b", "write_file", {})]))
    executor = ScriptedExecutor({"sha256": "1"}, ToolError("no_space", "full"))
    await runner_of(store, executor, failing).execute(lease, Signals())
    later = document(lease.session.id, goal="second")
    await store.runs.create(later, "reject")
    again = await store.leases.acquire(lease.session.id, later.id, "w")
    planner = TellingPlanner(CallTools([Call("a", "read_file", {})]), Finish("two"))
    await runner_of(store, ScriptedExecutor({}), planner).execute(again, Signals())
    for _, _, [earlier] in planner.told:
        assert (earlier.goal, earlier.status, earlier.answer) == ("first", "failed", None)
        assert [(change.path, change.sha256_after) for change in earlier.changes] == [("p", "1")]
    assert planner.told[0][2] is planner.told[1][2]  # it was read once: it stays as it is


async def test_earlier_run_that_expires_while_it_is_read_has_no_changes(store, leased):
    """A session's old runs go one by one."""
    lease = await leased()
    await store.progress.finish(lease, CANCELLED)
    later = document(lease.session.id)
    await store.runs.create(later, "reject")
    again = await store.leases.acquire(lease.session.id, later.id, "w")

    [earlier] = await earlier_runs(
        Listed(await store.runs.list(again.session.id, 5, later.id)), again, 5
    )
    assert (earlier.status, earlier.changes) == ("cancelled", ())


async def test_planner_is_told_of_no_run_that_has_not_ended(store, leased):
    """What it comes to is not known yet."""
    lease = await leased()
    under_way = await store.runs.get(lease.session.id, lease.run.id)
    assert await earlier_runs(Listed(Page(items=[under_way], next_cursor=None)), lease, 5) == []


@pytest.mark.parametrize("decision", [CallTools([Call("a", "t", {})]), Ask("which?")])
async def test_what_a_planner_says_is_seen_until_it_is_a_turn(store, leased, decision):
    """Who comes late reads it from its beginning."""
    seen = []

    class Watched(TellingPlanner):
        async def next(self, history, around):
            decided = await super().next(history, around)
            await until(said)
            return decided

    async def said():
        seen.append((await store.runs.get(*ids)).text)
        return seen[-1] == "I will é!"

    lease = await leased()
    ids = lease.session.id, lease.run.id
    await runner_of(store, ScriptedExecutor({}), Watched(decision, Finish("done"))).execute(
        lease, Signals()
    )
    assert set(seen) <= {None, "I will ", "I will é!"}
    assert (await store.runs.get(*ids)).text is None


async def test_run_whose_planner_asks_waits_for_a_person_and_is_not_asked_again(store, leased):
    """It holds no lease meanwhile, and no stray wake-up starts it."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    await runner_of(store, None, TellingPlanner(Ask("which file?"))).execute(lease, Signals())
    assert (await store.runs.get(*ids)).status == "awaiting_input"
    assert await store.leases.acquire(*ids, "another") is None
    last = (await store.events.after(ids[0], 0, 100)).events[-1]
    assert (last.type, last.data) == ("run.awaiting_input", {"question": "which file?"})


async def test_run_waits_though_its_worker_was_lost_between_the_question_and_that(
    store, leased, redis
):
    """The question was stored: the next worker asks no planner."""
    lease = await leased()
    ids = lease.session.id, lease.run.id
    await store.progress.record_turn(lease, turn(question="which file?"))
    await expire_lease(redis, lease)
    again = await store.leases.acquire(*ids, "another")
    await runner_of(store, None, TellingPlanner()).execute(again, Signals())
    assert (await store.runs.get(*ids)).status == "awaiting_input"


async def test_run_of_a_planner_that_nobody_knows_says_so(store, leased):
    """It used up five attempts, and blamed a lost worker."""
    lease = await leased(planner="llm")
    await runner_of(store, None, TellingPlanner()).execute(lease, Signals())
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert (run.status, run.error.code) == ("failed", "invalid_request")
    assert "'llm'" in run.error.detail
