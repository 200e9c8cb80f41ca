"""Runs of a planner that converses: questions, messages, second thoughts, and a cancel in mid-sentence."""

import asyncio

import pytest

from common.errors import SystemFault, ToolError
from common.runs import Budget
from orchestrator.engine.deciding import decisions
from orchestrator.engine.runner import MAX_IDLE_TURNS
from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import Ask, Call, CallTools, Compact, Finish, Reconsider
from tests.orchestrator.builders import event_types, expire_lease, turn
from tests.orchestrator.fakes import (
    NO_FILE,
    TOOLS,
    ConversingPlanner,
    ScriptedExecutor,
    ScriptedPlanner,
    answered,
    call,
    runner_of,
    until,
)

pytestmark = pytest.mark.usefixtures("impatient")
WRONG_PATH = ToolError("invalid_arguments", "path: a string is missing")

PATIENCE = 20.0
"""Seconds."""


class Pondering:
    """A decision that never comes; it notes its beginning and its end."""

    def __init__(self):
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    async def decide(self, around):
        """Say something, and think for ever."""
        self.begun.set()
        try:
            await around.speech.say("well")
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.fixture
def go(store):
    """Execute a leased run with these decisions; return the run, its turns and its planner."""

    async def execute(lease, *decisions, outcomes=(NO_FILE,), signals=None):
        planner = ConversingPlanner(*decisions)
        runner = runner_of(store, ScriptedExecutor(*outcomes), planner)
        async with asyncio.timeout(PATIENCE):  # a planner that nobody stops would go on for ever
            await runner.execute(lease, signals or Signals())
        ids = lease.session.id, lease.run.id
        return await store.runs.get(*ids), await store.runs.turns(*ids), planner

    return execute


def tell(store, lease, text):
    """Send a message to a run."""
    return store.messages.send(lease.session.id, lease.run.id, text, user_id=lease.session.user_id)


async def test_run_that_is_cancelled_while_its_planner_decides_ends_at_once(go, leased, store):
    """A model may think for minutes; nothing of it goes on, and nothing dangles."""
    before, signals, pondering = asyncio.all_tasks(), Signals(), Pondering()
    lease = await leased()
    going = asyncio.create_task(go(lease, pondering.decide, signals=signals))
    await pondering.begun.wait()
    signals.cancelled.set()
    run, turns, _ = await going
    assert (run.status, run.text, turns, pondering.ended.is_set()) == ("cancelled", None, [], True)
    assert asyncio.all_tasks() - {going} == before


async def test_run_that_is_cancelled_while_its_instructions_are_read_ends_at_once(go, leased):
    """The execution environment may be away just then."""
    signals = Signals()

    async def cancel():
        signals.cancelled.set()
        await asyncio.Event().wait()

    run, *_ = await go(await leased(), outcomes=(cancel,), signals=signals)
    assert run.status == "cancelled"


async def test_planner_is_stopped_with_the_work_on_its_run(go, leased):
    """The lease was lost, or the process ends: nobody waits for the answer."""
    before, pondering = asyncio.all_tasks(), Pondering()
    going = asyncio.create_task(go(await leased(), pondering.decide))
    await pondering.begun.wait()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert (pondering.ended.is_set(), asyncio.all_tasks() - {going}) == (True, before)


async def test_run_whose_planner_takes_longer_than_its_seconds_fails_with_that(go, leased):
    """The budget bounds a model that thinks for ever, too."""
    pondering = Pondering()
    lease = await leased(budget=Budget(seconds=1))
    run, *_ = await go(lease, pondering.decide)
    assert (run.error.code, run.error.context["limit"]) == ("deadline_exceeded", 1)
    assert pondering.ended.is_set()


async def test_model_is_asked_when_the_tools_are_known_again(store, leased, monkeypatch):
    """The execution environment was away: a model without tools would say that it can do nothing."""
    monkeypatch.setattr(decisions, "TOOLS_PAUSE", 0.01)
    answers = [SystemFault("unavailable", "away"), SystemFault("unavailable", "away"), TOOLS]

    async def tools():
        answer = answers.pop(0)
        if isinstance(answer, SystemFault):
            raise answer
        return answer

    planner = ConversingPlanner(Finish("done"))
    lease = await leased()
    await runner_of(store, ScriptedExecutor(NO_FILE), planner, tools=tools).execute(
        lease, Signals()
    )
    assert (len(planner.told), answers) == (1, [])


async def test_time_that_a_planner_runs_out_of_itself_is_not_the_runs(go, leased):
    """A mistake there must not be told as a budget that is used up."""

    async def late(_):
        raise TimeoutError("the planner's")

    with pytest.raises(TimeoutError, match="the planner's"):
        await go(await leased(), late)


async def test_worker_that_drains_waits_for_the_decision_that_is_under_way(go, leased, store):
    """It is stored, and not paid twice: the next worker makes its calls."""
    signals = Signals()

    async def drained(_):
        signals.draining.set()
        return CallTools([call()])

    lease = await leased()
    run, [decided], _ = await go(lease, drained, signals=signals)
    assert (run.status, len(decided.calls), run.steps) == ("queued", 1, [])
    again = await store.leases.acquire(run.session_id, run.id, "another")
    run, turns, planner = await go(again, Finish("done"), outcomes=())
    assert (run.status, len(run.steps), len(turns), len(planner.told)) == ("succeeded", 1, 2, 1)


async def test_question_is_answered_on_another_worker_after_its_calls(go, leased, store):
    """The run waits for a day without a lease; the planner is told what was said, and that it answers."""
    lease = await leased()
    run, _, _ = await go(
        lease, Ask("which?", answered(text="Let me look."), [call()]), outcomes=(NO_FILE, {"x": 1})
    )
    assert (run.status, run.question, [made.output for made in run.steps]) == (
        "awaiting_input", "which?", [{"x": 1}],
    )  # fmt: skip
    await tell(store, lease, "the first one")
    again = await store.leases.acquire(run.session_id, run.id, "another")
    run, [asked, last], planner = await go(again, Finish("done"))
    [told] = planner.told
    assert [(said.text, said.is_answer) for said in told.messages] == [("the first one", True)]
    assert (run.status, asked.text, last.messages) == ("succeeded", "Let me look.", told.messages)


async def test_message_that_came_before_a_question_is_no_answer_to_it(go, leased, store, redis):
    """The worker was lost before it could let the run wait: the next one lets it."""
    lease = await leased()
    await store.progress.record_turn(lease, turn(question="which?"))
    await tell(store, lease, "hurry up")
    await expire_lease(redis, lease)
    again = await store.leases.acquire(lease.session.id, lease.run.id, "another")
    run, _, planner = await go(again)
    assert (run.status, planner.told) == ("awaiting_input", [])


async def test_message_is_told_with_the_next_decision_and_kept_in_its_turn(go, leased, store):
    """Steering: a run that works takes it up at its next turn, once."""
    lease = await leased()

    async def told_meanwhile(_):
        await tell(store, lease, "only in src")
        return CallTools([call()])

    _, turns, planner = await go(lease, told_meanwhile, CallTools([call()]), Finish("done"))
    assert [[said.text for said in told.messages] for told in planner.told] == [
        [], ["only in src"], [],
    ]  # fmt: skip
    assert [[said.text for said in made.messages] for made in turns] == [[], ["only in src"], []]
    assert not any(said.is_answer for said in turns[1].messages)


async def test_message_that_comes_with_the_answer_is_heard(go, leased, store):
    """The run had ended over it; now the answer is a turn, and the planner is asked again."""
    lease = await leased()

    async def told_meanwhile(_):
        await tell(store, lease, "and the tests?")
        return Finish("done", answered(tokens=5))

    run, turns, planner = await go(lease, told_meanwhile, Finish("tests, too", answered(tokens=7)))
    assert [said.text for said in planner.told[1].messages] == ["and the tests?"]
    assert [past.turn.answer for past in planner.told[1].turns] == ["done"]
    assert ([made.answer for made in turns], run.result.answer) == (
        ["done", "tests, too"],
        "tests, too",
    )
    assert (run.status, run.usage.input_tokens) == ("succeeded", 12)
    assert (await event_types(store, run.session_id)).count("run.succeeded") == 1


async def test_message_to_a_run_that_converses_with_nobody_keeps_it_from_no_end(leased, store):
    """Nobody reads it, and the run would have answered for ever."""
    lease = await leased()
    await tell(store, lease, "hello?")
    await runner_of(store, ScriptedExecutor(), ScriptedPlanner()).execute(lease, Signals())
    ids = lease.session.id, lease.run.id
    assert (await store.runs.get(*ids)).status == "succeeded"
    said = [[one.text for one in made.messages] for made in await store.runs.turns(*ids)]
    assert said == [[], ["hello?"]]


async def test_second_thoughts_and_compactions_are_kept_and_the_planner_is_asked_again(go, leased):
    """Each was paid for, and whoever takes the run over goes on from it."""
    decisions = (
        Reconsider("that is no JSON", answered(tokens=3)),
        Compact(1, "all went well", answered(tokens=4)),
        Compact(2),
        Finish("done"),
    )
    run, turns, planner = await go(await leased(), *decisions)
    assert [(made.t, made.feedback, made.covers, made.summary) for made in turns] == [
        (1, "that is no JSON", None, None),
        (2, None, 1, "all went well"),
        (3, None, 2, None),
        (4, None, None, None),
    ]
    assert [past.message for past in planner.told[3].turns] == [{"role": "assistant"}] * 2 + [None]
    assert (run.status, run.usage.input_tokens) == ("succeeded", 7)


async def test_run_whose_planner_does_nothing_but_think_is_stuck(go, leased):
    """A planner has bounds of its own; a mistake in them must not cost a fortune."""
    again = Reconsider("no", answered())
    run, turns, planner = await go(await leased(), *[again] * (MAX_IDLE_TURNS + 1))
    assert (run.status, run.error.code) == ("failed", "stuck")
    assert len(turns) == len(planner.told) == MAX_IDLE_TURNS


async def test_planner_that_makes_a_call_now_and_then_is_not_stuck(go, leased):
    """Only decisions in a row count."""
    thinking = [Reconsider("no", answered())] * (MAX_IDLE_TURNS - 1)
    run, *_ = await go(await leased(), *thinking, CallTools([call()]), *thinking, Finish("done"))
    assert run.status == "succeeded"


async def test_planner_is_told_what_the_run_asks_of_a_model(go, leased):
    """Its model, instructions, tools, and the form of its answer."""
    wished = {"model": "m", "instructions": "briefly", "tools": ["read_file"], "output_schema": {}}
    _, _, planner = await go(await leased(**wished), Finish("done"))
    wishes = planner.told[0].wishes
    assert {name: getattr(wishes, name) for name in wished} == wished


async def test_call_that_the_planner_says_is_wrong_fails_and_the_others_are_made(go, leased, store):
    """One wrong call of three: the reads beside it go side by side, and the numbers stay."""
    under_way = set()

    def meet(name):
        async def answer():
            under_way.add(name)
            await until(lambda: len(under_way) == 2)
            return {"from": name}

        return answer

    calls = [
        call("a"),
        Call("b", "write_file", {}, on_error="continue", error=WRONG_PATH),
        call("c"),
    ]
    outcomes = (NO_FILE, meet("a"), meet("c"))
    run, [decided, _], planner = await go(
        await leased(), CallTools(calls), Finish("done"), outcomes=outcomes
    )
    wrong = run.steps[1]
    assert [made.status for made in run.steps] == ["succeeded", "failed", "succeeded"]
    assert (wrong.error.code, wrong.attempts, wrong.error.source) == (
        "invalid_arguments", 0, "orchestrator",
    )  # fmt: skip
    assert (wrong.error.request_id, decided.calls[1].error) == ("req_1", wrong.error)
    assert [made.effect for made in decided.calls] == ["read", "write", "read"]
    assert len(planner.told[1].steps) == 3
    assert (await event_types(store, run.session_id)).count("step.started") == 2


async def test_wrong_call_that_stops_the_run_keeps_the_change_behind_it_from_being_made(go, leased):
    """It counts as a read beside reads; a change still waits for what stands before it."""
    calls = [Call("a", "no_such_tool", {}, error=WRONG_PATH), call("b", "write_file")]
    run, [decided], _ = await go(await leased(), CallTools(calls))
    assert (run.status, run.error.code) == ("failed", "invalid_arguments")
    assert [made.name for made in run.steps] == ["a"]
    assert decided.calls[0].effect == "write"  # nobody knows that tool
