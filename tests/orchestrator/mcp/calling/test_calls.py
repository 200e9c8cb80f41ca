"""One call: judged, asked for, made once, noted."""

import asyncio

import pytest
from mcp_types import InputRequiredResult

from common.approvals.rules import Rule
from common.errors import ClientError, SystemFault, ToolError
from common.tools import ToolResult
from orchestrator.mcp.calling.asking import Answer, Asked, answer_to
from orchestrator.mcp.calling.calls import MOST_GIVEN_UP
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.events import DirectCall
from tests.orchestrator.mcp.conftest import caller, request

CHANGED = {"sha256": "0" * 64}
REPLAYED = ToolResult(
    id="mcp:1:1", tool="put", output=CHANGED, receipts=[], replayed=True, duration_ms=1.0
)
AWAY = SystemFault("unavailable", "away", outcome="not_executed")
GIVEN_UP = ClientError("call_expired", "The call was given up before it took effect")


def approved(asked, **changed):
    """Return an answer that approves of what was asked."""
    return Answer(**{"asked": asked, "is_approved": True, "reason": None, **changed})


def asked_by(result):
    """Return what a result asks, as it comes back."""
    assert isinstance(result, InputRequiredResult)
    return Asked.model_validate_json(result.request_state)


async def test_call_is_made_in_the_callers_name_and_noted(bench):
    """It has a session of its user's and no run; no fence of a run's owner is its."""
    made = bench(CHANGED)
    result = await made.calls.call(request())
    [(call, _)] = made.executor.calls
    session = await made.sessions.of("ann", "demo")
    assert (call.fence, call.expected, call.dry_run) == (0, None, False)
    context = call.context
    assert (context.session_id, context.run_id) == (session.id, None)
    assert (context.allowed_paths_root, context.request_source.kind) == ("ann/demo", "mcp")
    assert result.id == call.id
    assert [event.type for event in await made.told()] == ["call.succeeded"]


async def test_id_is_that_of_the_key_and_of_whose_it_is():
    """The same key of another user, or in another workspace, is another call's."""
    of_key = [
        request(key="k"),
        request(key="other"),
        request(key="k", by=caller(user_id="bob")),
        request(key="k", by=caller(workspace="docs")),
    ]
    ids = [one.id for one in of_key]
    assert len(set(ids)) == 4
    assert request(key="k").id == ids[0]
    assert request().id != request().id


async def test_replay_is_not_told_again(bench):
    """It has happened before."""
    made = bench()

    async def replay(call, traceparent=None):
        result = made.executor._result(call.id, CHANGED)
        return result.model_copy(update={"replayed": True})

    made.executor.run = replay
    assert (await made.calls.call(request(key="k"))).replayed
    assert await made.told() == []


async def test_call_that_was_given_up_is_made_under_another_number(bench):
    """A client that lost its connection sends the same again; the first one never takes effect."""
    made = bench(GIVEN_UP, GIVEN_UP, CHANGED)
    await made.calls.call(request(key="k"))
    ids = [call.id for call, _ in made.executor.calls]
    assert [one.rpartition(":")[2] for one in ids] == ["1", "2", "3"]
    assert len({one.rpartition(":")[0] for one in ids}) == 1


async def test_call_that_is_given_up_again_and_again_ends(bench):
    """Nobody looks for ever."""
    made = bench(*[GIVEN_UP] * (MOST_GIVEN_UP + 1))
    with pytest.raises(ClientError) as refusal:
        await made.calls.call(request(key="k"))
    assert refusal.value.code == "call_expired"
    assert len(made.executor.calls) == MOST_GIVEN_UP


async def test_unknown_tool_is_refused_with_what_may_be_meant(bench):
    """Before anything is sent."""
    made = bench()
    with pytest.raises(ToolError) as refusal:
        await made.calls.call(request("putt"))
    assert refusal.value.code == "tool_not_found"
    assert "put" in refusal.value.hint
    assert made.executor.calls == []


async def test_error_is_raised_and_noted(bench):
    """The session tells what has failed, a fault of the service as well."""
    made = bench(
        ToolError("already_exists", "there"), SystemFault("internal", "broken", outcome="not_executed"),
        settlements=[None],
    )  # fmt: skip
    for code in ("already_exists", "internal"):
        with pytest.raises((ToolError, SystemFault)) as failure:
            await made.calls.call(request())
        assert failure.value.code == code
    assert [event.data["error"]["code"] for event in await made.told()] == [
        "already_exists",
        "internal",
    ]


@pytest.mark.parametrize("approval", ["plan", "writes"])
async def test_change_asks_and_shows_what_it_would_do(bench, approval):
    """Nothing is made before the answer; what is asked about a plan as a whole asks here one at a time."""
    made = bench(CHANGED, approval=approval)
    asked = asked_by(await made.calls.call(request(key="k")))
    [(preview, _)] = made.executor.calls
    assert preview.dry_run
    assert preview.context.access == "read_only"
    assert asked.id == request(key="k").id
    assert [receipt.path for receipt in asked.expected] == ["p"]
    assert await made.told() == []


async def test_read_asks_where_everything_does_and_has_no_preview(bench):
    """There is nothing to show but what it is called with."""
    made = bench(approval="writes")
    assert not isinstance(await made.calls.call(request("look")), InputRequiredResult)
    made = bench(approval="always")
    asked = asked_by(await made.calls.call(request("look")))
    assert asked.expected is None
    assert made.executor.calls == []


@pytest.mark.parametrize("key", [None, "k"], ids=["without a key", "under a key"])
async def test_approved_call_has_the_receipts_that_were_shown(bench, key):
    """And the id that was asked about."""
    made = bench(CHANGED, CHANGED, approval="writes")
    asked = asked_by(await made.calls.call(request(key=key)))
    await made.calls.call(request(key=key, answer=approved(asked)))
    call = made.executor.calls[-1][0]
    assert not call.dry_run
    assert call.expected == asked.expected
    assert call.id == f"{asked.id}:1"


@pytest.mark.parametrize("key", [None, "k"], ids=["without a key", "under a key"])
async def test_answer_under_another_key_is_no_answer(bench, key):
    """Whoever sends it counts on a key that the call would not have: it would happen once for each question."""
    made = bench(CHANGED, approval="writes")
    asked = asked_by(await made.calls.call(request(key=key)))
    with pytest.raises(ClientError, match="idempotency key") as refusal:
        await made.calls.call(request(key="another", answer=approved(asked)))
    assert refusal.value.code == "invalid_request"
    assert [call.dry_run for call, _ in made.executor.calls] == [True]


KEYED = {
    "asked": request(key="k"),
    "that cannot be asked": request(key="k", by=caller(can_be_asked=False)),
    "rejected": request(key="k", answer=approved(Asked(id=request(key="k").id), is_approved=False)),
}


@pytest.mark.parametrize("again", KEYED.values(), ids=KEYED)
async def test_call_that_was_made_has_its_result_where_a_person_would_be_asked(bench, again):
    """It comes as a call that is made: what is in the way of it being seen is cleared away there.

    Nothing may change by then, should its id be forgotten in between.
    """
    made = bench(REPLAYED, REPLAYED, approval="writes")
    result = await made.calls.call(again)
    assert result.replayed
    look, make = (call for call, _ in made.executor.calls)
    assert (look.id, look.dry_run) == (f"{again.id}:1", True)
    assert (make.id, make.dry_run, make.expected) == (look.id, False, [])
    assert await made.told() == []


@pytest.mark.parametrize(
    "again", [request(key="k"), request(answer=approved(Asked(id="mcp:1")))], ids=["key", "answer"]
)
async def test_call_that_was_made_has_its_result_where_a_rule_denies_it_since(bench, again):
    """It is no more undone than told as not executed."""
    made = bench(REPLAYED, REPLAYED)
    await made.store.rules.replace("ann", [Rule(path="f", effect="deny")], None)
    assert (await made.calls.call(again)).replayed


@pytest.mark.parametrize("effect", ["ask", "deny"])
async def test_what_nobody_knows_of_a_call_is_not_told_as_not_executed(bench, effect):
    """It may have happened when it was sent before, or half of it; a fresh one cannot have."""
    broken = SystemFault("internal", "cut short by a crash", outcome="unknown")
    broken.source = "execution_environment"
    made = bench(broken, broken)
    await made.store.rules.replace("ann", [Rule(path="f", effect=effect)], None)
    with pytest.raises(SystemFault, match="cut short") as failure:
        await made.calls.call(request(key="k"))
    assert failure.value.outcome == "unknown"


@pytest.mark.parametrize("effect", ["allow", "ask", "deny"])
async def test_execution_environment_that_is_away_rules_out_no_earlier_call(bench, effect):
    """It is refused before it is sent: that says nothing of when it was sent before."""
    made = bench({}, SystemFault("internal", "away", outcome="not_executed"))
    await made.calls.call(request(key="k"))
    await made.store.rules.replace("ann", [Rule(path="f", effect=effect)], None)
    with pytest.raises(SystemFault) as failure:
        await made.calls.call(request(key="k"))
    assert failure.value.outcome == "unknown"
    assert (await made.told())[-1].data["error"]["outcome"] == "unknown"


async def test_store_that_is_away_rules_out_no_earlier_call(bench):
    made = bench({})

    async def away(*_):
        raise StoreUnavailable("unavailable", "away")

    made.sessions.of = away
    for again, outcome in (request(key="k"), "unknown"), (request(), "not_executed"):
        with pytest.raises(SystemFault) as failure:
            await made.calls.call(again)
        assert failure.value.outcome == outcome


async def test_fault_of_a_preview_of_a_fresh_call_leaves_nothing_open(bench):
    """Nothing can have happened."""
    broken = SystemFault("internal", "a bug", outcome="unknown")
    broken.source = "execution_environment"
    made = bench(broken, approval="writes")
    with pytest.raises(SystemFault, match="a bug") as failure:
        await made.calls.call(request())
    assert failure.value.outcome == "not_executed"


async def test_refusal_stands_where_the_call_could_not_have_been_made(bench):
    """What else is wrong with it does not matter; an execution environment that is away cannot tell."""
    other = ClientError("idempotency_conflict", "This id belongs to a different call")
    made = bench(CHANGED, other, ToolError("already_exists", "there"), *[AWAY] * 9)
    await made.store.rules.replace("ann", [Rule(path="f", effect="deny")], None)
    for _ in range(3):
        with pytest.raises(ToolError) as refusal:
            await made.calls.call(request(key="k"))
        assert refusal.value.code == "denied_by_rule"
    with pytest.raises(SystemFault):
        await made.calls.call(request(key="k"))
    assert all(call.dry_run for call, _ in made.executor.calls)


async def test_key_of_another_call_is_told_before_anybody_is_asked(bench):
    """An approval would come to nothing."""
    made = bench(ClientError("idempotency_conflict", "different"), approval="writes")
    with pytest.raises(ClientError) as refusal:
        await made.calls.call(request(key="k"))
    assert refusal.value.code == "idempotency_conflict"


async def test_question_is_about_the_attempt_that_nobody_has_given_up(bench):
    """As the call itself would be."""
    made = bench(GIVEN_UP, CHANGED, approval="writes")
    asked_by(await made.calls.call(request(key="k")))
    first, second = (call.id for call, _ in made.executor.calls)
    assert (first[-2:], second[-2:]) == (":1", ":2")


async def test_change_that_would_change_nothing_may_change_nothing_later(bench):
    """Whoever approved of it has seen no change."""
    made = bench({}, {}, approval="writes")
    asked = asked_by(await made.calls.call(request()))
    assert asked.expected == []
    await made.calls.call(request(answer=approved(asked)))
    assert made.executor.calls[-1][0].expected == []


async def test_question_that_comes_back_without_an_answer_is_asked_again(bench):
    """Of the same call; where a rule has come to allow it, it is made as that one, and as it was shown."""
    made = bench(CHANGED, CHANGED, CHANGED, approval="writes")
    asked = asked_by(await made.calls.call(request()))
    unsaid = approved(asked, is_approved=None)
    assert asked_by(await made.calls.call(request(answer=unsaid))).id == asked.id
    await made.store.rules.replace("ann", [Rule(path="f", effect="allow")], None)
    assert (await made.calls.call(request(answer=unsaid))).id == f"{asked.id}:1"
    call = made.executor.calls[-1][0]
    assert (call.dry_run, call.expected) == (False, asked.expected)


async def test_rejected_call_is_not_made(bench):
    """Its reason is what the model reads."""
    made = bench(approval="writes")
    answer = approved(Asked(id="mcp:1"), is_approved=False, reason="not today")
    with pytest.raises(ToolError, match="not today") as refusal:
        await made.calls.call(request(answer=answer))
    assert refusal.value.code == "rejected"
    assert all(call.dry_run for call, _ in made.executor.calls)
    assert [event.type for event in await made.told()] == ["call.failed"]


async def test_change_of_what_was_shown_asks_anew(bench):
    """Nothing of it has happened."""
    changed = ToolError("changed_since_preview", "other files")
    made = bench(changed, CHANGED, approval="writes")
    asked = asked_by(
        await made.calls.call(request(answer=approved(Asked(id="mcp:1", expected=[]))))
    )
    assert asked.id == "mcp:1"
    assert [call.dry_run for call, _ in made.executor.calls] == [False, True]


async def test_change_that_cannot_be_made_asks_nobody(bench):
    """A person could only approve of its error."""
    made = bench(ToolError("already_exists", "there"), approval="writes")
    with pytest.raises(ToolError) as refusal:
        await made.calls.call(request())
    assert refusal.value.code == "already_exists"


async def test_client_that_cannot_ask_is_told_before_anything_is_previewed(bench):
    """What to do instead is in the hint."""
    made = bench(approval="writes")
    with pytest.raises(ToolError) as refusal:
        await made.calls.call(request(by=caller(can_be_asked=False)))
    assert refusal.value.code == "approval_required"
    assert made.executor.calls == []


@pytest.mark.parametrize("answer", [None, approved(Asked(id="mcp:1"))], ids=["anew", "approved"])
async def test_denial_counts_whatever_a_person_has_said(bench, answer):
    """A rule may be newer than the answer."""
    made = bench(approval="writes")
    await made.store.rules.replace("ann", [Rule(path="f", effect="deny")], None)
    with pytest.raises(ToolError) as refusal:
        await made.calls.call(request(answer=answer))
    assert refusal.value.code == "denied_by_rule"
    assert all(call.dry_run for call, _ in made.executor.calls)


async def test_rule_that_allows_asks_nobody(bench):
    """It comes before the policy."""
    made = bench(CHANGED, approval="always")
    await made.store.rules.replace("ann", [Rule(path="f", tool="put", effect="allow")], None)
    result = await made.calls.call(request())
    assert result.receipts


async def test_effect_of_a_call_whose_client_has_gone_is_noted(bench):
    """Whoever follows the session sees it; nobody waits for an answer."""
    begun = asyncio.Event()

    async def never():
        begun.set()
        await asyncio.Event().wait()

    made = bench(never, settlements=[CHANGED])
    await made.sessions.of("ann", "demo")
    calling = asyncio.create_task(made.calls.call(request()))
    await begun.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert made.executor.settled
    assert [event.type for event in await made.told()] == ["call.succeeded"]


@pytest.mark.parametrize("failure", [None, ToolError("already_exists", "there")])
async def test_store_that_goes_away_changes_nothing_of_what_has_happened(bench, failure, caplog):
    """A change that was made is no failure, least of all one that was not executed."""
    made = bench(failure or CHANGED)

    async def away(*_):
        raise StoreUnavailable("unavailable", "The store is away", may_have_acted=False)

    made.store.direct_calls.note = away
    if failure is None:
        assert (await made.calls.call(request())).receipts
    else:
        with pytest.raises(ToolError):
            await made.calls.call(request())
    assert any("not told in its session" in record.getMessage() for record in caplog.records)


async def test_session_that_was_deleted_in_the_middle_is_opened_again(bench):
    """What has happened is told where the next calls are."""
    made = bench(CHANGED, CHANGED)
    await made.calls.call(request())
    first = await made.sessions.of("ann", "demo")
    await made.store.sessions.delete(first.id, "ann")
    await made.calls.call(request())
    second = await made.sessions.of("ann", "demo")
    assert second.id != first.id
    assert [event.type for event in await made.told()] == ["call.succeeded"]


def test_answer_needs_what_was_asked_and_what_was_said():
    """Neither alone approves of anything; what was asked says which call it is in any case."""
    asked = Asked(id="mcp:1")
    assert answer_to(None, None) is None
    assert answer_to(None, {}) is None
    assert answer_to(asked.model_dump_json(), {}) == Answer(asked, is_approved=None, reason=None)


def test_direct_call_says_nothing_of_an_output(bench):
    """It is the caller's own, and may be megabytes."""
    result = bench().executor._result("mcp:1:1", {"content": "secret", **CHANGED})
    assert "secret" not in DirectCall.made(result).model_dump_json()
