"""Answers to a turn that waits, over HTTP: who is heard, and what becomes of each call."""

import asyncio

import pytest

from common.ids import new_id
from tests.orchestrator.builders import event_types
from tests.orchestrator.routes.approving import answer, edit, plan_of, served, states, told, url
from tests.orchestrator.workspace import (
    Files,
    SomeTools,
    delete,
    go_on,
    read,
    waiting,
    write,
)


@pytest.fixture
def files():
    """A workspace with two files."""
    return Files(a__txt="old", b__txt="old")


@pytest.fixture
async def http(store, files):
    """A client."""
    async with served(store, files) as client:
        yield client


async def last_event(store, run):
    """Return the last event of a run's session."""
    return (await store.events.after(run.session_id, 0, 1000)).events[-1]


async def test_plan_that_waits_shows_what_each_change_would_do(http, store, files):
    """What a person approves is what they see: diffs against the files as they are."""
    run = await waiting(store, files, read("a.txt"), write("a.txt"), delete("b.txt"))
    plan, etag = await plan_of(http, run)
    assert (etag, plan["plan_revision"], plan["is_waiting"], plan["t"]) == ('"1"', 1, True, 1)
    assert states(plan) == ["free", "asks", "asks"]
    assert plan["calls"][1]["preview"]["diff"] == "-old\n+new\n"
    assert plan["calls"][2]["preview"]["receipts"][0]["operation"] == "delete"
    assert [call["effect"] for call in plan["calls"]] == ["read", "write", "destructive"]
    assert files.made == []


async def test_plan_shows_what_depends_on_an_earlier_call_and_what_has_to_wait(http, store, files):
    """There is no diff before the file is there, nor arguments before the read was made."""
    run = await waiting(
        store, files,
        write("c.txt"), delete("c.txt"), read("a.txt"), write({"$from": "s3/output/content"}),
    )  # fmt: skip
    plan, _ = await plan_of(http, run)
    assert states(plan) == ["asks", "asks", "free", "deferred"]
    dependent = plan["calls"][1]["preview"]
    assert (dependent["depends_on_step"], dependent["diff"]) == (1, None)
    assert plan["calls"][3]["arguments"]["path"] == {"$from": "s3/output/content"}


async def test_run_without_a_turn_shows_no_calls_and_one_with_a_plan_its_calls(http, store, files):
    """Whoever starts a plan can look at it at once; its effects are the tools'."""
    body = {"plan": {"steps": [{"name": "a", **delete("b.txt")}]}}
    shown = []
    for asked in (body, {"goal": "list"}):
        opened = await store.sessions.create("local", None, {}, None)
        started = await http.post(f"/v1/sessions/{opened.id}/runs", json=asked)
        found = await http.get(f"/v1/sessions/{opened.id}/runs/{started.json()['id']}/plan")
        shown.append(found.json())
        assert found.headers["ETag"] == '"0"'
    assert [plan["t"] for plan in shown] == [0, 0]
    [call] = shown[0]["calls"]
    assert (call["n"], call["effect"], call["state"]) == (1, "destructive", "free")
    assert shown[1]["calls"] == []


async def test_approved_turn_goes_on_and_shows_what_was_made(http, store, files):
    """An answer wakes a worker; the plan then says what has become of it."""
    run = await waiting(store, files, write("a.txt"), delete("b.txt"))
    answered = await answer(http, run, '"1"')
    assert (answered.status_code, answered.json()["status"]) == (202, "queued")
    assert (await go_on(store, files, run)).status == "succeeded"
    assert files.contents == {"a.txt": "new"}
    plan, etag = await plan_of(http, run)
    assert (plan["is_waiting"], etag) == (False, '"2"')


async def test_single_steps_are_answered_and_the_rest_still_asks(http, store, files):
    """Nothing of the turn is made before all of it has an answer."""
    run = await waiting(store, files, write("a.txt", on_error="continue"), delete("b.txt"))
    answered = await answer(http, run, '"1"', "reject", steps=[1], reason="It is generated")
    assert (answered.status_code, answered.json()["status"]) == (202, "awaiting_approval")
    plan, etag = await plan_of(http, run)
    assert (states(plan), etag) == (["rejected", "asks"], '"2"')
    assert plan["calls"][0]["reason"] == "It is generated"
    asking = await last_event(store, run)
    assert asking.type == "run.awaiting_approval"
    assert asking.data == {"t": 1, "plan_revision": 2, "steps": [2]}
    assert (await answer(http, run, etag, steps=[2])).status_code == 202
    ended = await go_on(store, files, run)
    assert (ended.status, [call.tool for call in files.made]) == ("succeeded", ["delete_path"])
    assert "It is generated" in ended.steps[0].error.detail
    assert files.contents == {"a.txt": "old"}


async def test_answer_is_told_as_an_event(http, store, files):
    """Whoever follows sees who was heard, and why not."""
    run = await waiting(store, files, write("a.txt"))
    await answer(http, run, '"1"', "reject", reason="No")
    told_of = await last_event(store, run)
    assert told_of.type == "approval.received"
    assert told_of.data == {"t": 1, "decision": "reject", "steps": [1], "reason": "No"}


async def test_second_of_two_approvers_is_refused(http, store, files):
    """They do not collide: one of both is heard, the other one has to look again."""
    run = await waiting(store, files, write("a.txt"))
    both = await asyncio.gather(
        answer(http, run, '"1"'), answer(http, run, '"1"', "reject", reason="No")
    )
    assert sorted(one.status_code for one in both) == [202, 412]
    refused = next(one for one in both if one.status_code == 412)
    assert told(refused) == (412, "precondition_failed")
    assert refused.json()["context"]["actual"] == 2
    assert (await event_types(store, run.session_id)).count("approval.received") == 1


async def test_same_answer_again_is_heard_once_whatever_has_happened_since(http, store, files):
    """A client whose answer was lost sends it again: before the run goes on, and after it has ended."""
    run = await waiting(store, files, write("a.txt"))
    assert [(await answer(http, run, '"1"')).status_code for _ in range(2)] == [202, 202]
    await go_on(store, files, run)
    again = await answer(http, run, '"1"')
    assert (again.status_code, again.json()["status"]) == (202, "succeeded")
    assert (await event_types(store, run.session_id)).count("approval.received") == 1
    assert told(await answer(http, run, '"1"', "reject")) == (412, "precondition_failed")


async def test_answer_after_a_cancel_is_refused(http, store, files):
    """Nothing waits any more; whoever has seen another plan is told that first."""
    run = await waiting(store, files, write("a.txt"))
    assert (await http.post(url(run, "cancel"))).json()["status"] == "cancelled"
    assert told(await answer(http, run, '"1"')) == (409, "invalid_state")
    assert told(await answer(http, run, '"7"')) == (412, "precondition_failed")
    assert told(await answer(http, run, '"0"')) == (412, "precondition_failed")
    assert files.contents["a.txt"] == "old"


async def test_answer_to_a_run_that_never_asked_is_refused(http, store, files):
    """There is no plan to have another revision of."""
    run = await waiting(store, files, read("a.txt"))
    for etag in ('"0"', '"1"'):
        assert told(await answer(http, run, etag)) == (409, "invalid_state")


async def test_answer_to_steps_that_the_turn_does_not_have_is_refused(http, store, files):
    """The error names the place."""
    run = await waiting(store, files, write("a.txt"))
    refused = await answer(http, run, '"1"', steps=[1, 5])
    assert told(refused) == (422, "invalid_request")
    assert [field["field"] for field in refused.json()["context"]["fields"]] == ["steps.1"]
    assert states((await plan_of(http, run))[0]) == ["asks"]


async def test_answer_to_a_step_that_does_not_ask_is_refused_unless_it_is_the_same(
    http, store, files
):
    """A read that is free has no answer; one that was approved is not rejected by the way."""
    run = await waiting(store, files, read("a.txt"), write("a.txt"), delete("b.txt"))
    assert told(await answer(http, run, '"1"', steps=[1])) == (409, "invalid_state")
    assert (await answer(http, run, '"1"', steps=[2])).status_code == 202
    assert told(await answer(http, run, '"2"', "reject", steps=[2])) == (409, "invalid_state")
    assert (await answer(http, run, '"2"', steps=[2, 3])).status_code == 202
    assert (await go_on(store, files, run)).status == "succeeded"


@pytest.mark.parametrize("etag", [None, "*", "1", 'W/"1"', '"01"', '"1", "2"', '"-1"', '""'])
@pytest.mark.parametrize("method", ["approval", "plan"])
async def test_answer_without_the_etag_of_what_was_seen_is_refused(
    http, store, files, etag, method
):
    """`*` would approve what nobody has looked at; the error says what to send."""
    run = await waiting(store, files, write("a.txt"))
    call = {"n": 1, "arguments": {"path": "c.txt", "content": "x"}}
    asked = answer(http, run, etag) if method == "approval" else edit(http, run, etag, call)
    refused = await asked
    assert told(refused) == (422, "invalid_request")
    assert "If-Match" in refused.json()["detail"]
    assert "ETag" in refused.json()["hint"]
    assert (await plan_of(http, run))[1] == '"1"'


async def test_nobody_answers_for_another_user(http, store, files):
    """Another user's session is not told apart from none."""
    foreign = await store.sessions.create("bob", None, {}, None)
    run = await waiting(store, files, write("a.txt"), session=foreign)
    assert told(await http.get(url(run, "plan"))) == (404, "session_not_found")
    assert told(await answer(http, run, '"1"')) == (404, "session_not_found")
    call = {"n": 1, "arguments": {"path": "c.txt", "content": "x"}}
    assert told(await edit(http, run, '"1"', call)) == (404, "session_not_found")
    assert (await store.runs.get(run.session_id, run.id)).status == "awaiting_approval"


async def test_answer_to_no_run_is_not_found(http, store):
    """Nor is a plan."""
    opened = await store.sessions.create("local", None, {}, None)
    base = f"/v1/sessions/{opened.id}/runs/{new_id('run')}"
    assert told(await http.get(f"{base}/plan")) == (404, "run_not_found")
    sent = await http.post(
        f"{base}/approval", json={"decision": "approve"}, headers={"If-Match": '"1"'}
    )
    assert told(sent) == (404, "run_not_found")


async def test_answer_that_is_remembered_is_a_rule_of_the_session(http, store, files):
    """For its later turns: of this one only what is named has an answer."""
    session = await store.sessions.create("local", None, {}, None)
    run = await waiting(
        store, files,
        write("docs/a.md"), write("docs/b.md"), write("src/c.py"), delete("docs/d.md"),
        session=session,
    )  # fmt: skip
    like = {"tool": "write_file", "path": "docs/**"}
    assert (await answer(http, run, '"1"', steps=[1], remember=like)).status_code == 202
    plan, etag = await plan_of(http, run)
    assert states(plan) == ["approved", "asks", "asks", "free"]
    [rule] = (await http.get(f"/v1/sessions/{session.id}")).json()["remembered"]
    assert rule == {**like, "effect": "allow"}
    await answer(http, run, etag)
    await go_on(store, files, run)
    later = await waiting(store, files, write("docs/e.md"), session=session)
    assert (await store.runs.get(session.id, later.id)).status == "succeeded"


async def test_rejection_that_is_remembered_denies(http, store, files):
    """The same is not asked again, and not made."""
    session = await store.sessions.create("local", None, {}, None)
    run = await waiting(store, files, delete("a.txt"), delete("b.txt"), session=session)
    never = {"tool": "delete_path"}
    await answer(http, run, '"1"', "reject", steps=[1], reason="Keep", remember=never)
    plan, etag = await plan_of(http, run)
    assert [call["reason"] for call in plan["calls"]] == ["Keep", None]
    await answer(http, run, etag, "reject")
    ended = await go_on(store, files, run)
    assert (ended.status, ended.error.code) == ("failed", "rejected")
    assert "Keep" in ended.error.detail
    later = await waiting(store, files, delete("b.txt"), session=session)
    assert (await store.runs.get(session.id, later.id)).error.code == "denied_by_rule"
    assert files.contents.keys() == {"a.txt", "b.txt"}


async def test_path_to_remember_that_is_no_glob_is_refused(http, store, files):
    """It would rule nothing, in silence."""
    run = await waiting(store, files, write("a.txt"))
    refused = await answer(http, run, '"1"', remember={"path": "[z-a]"})
    assert told(refused) == (422, "invalid_request")
    assert [field["field"] for field in refused.json()["context"]["fields"]] == ["remember.path"]
    assert (await plan_of(http, run))[1] == '"1"'


async def test_answer_needs_no_tools(store, files):
    """It can be given while the execution environment is away."""
    run, catalogue = await waiting(store, files, write("a.txt")), SomeTools()
    catalogue.is_away = True
    async with served(store, files, catalogue) as http:
        like = {"tool": "write_file"}
        assert (await answer(http, run, '"1"', remember=like)).status_code == 202


async def test_approval_of_a_plan_that_was_edited_meanwhile_is_refused(http, store, files):
    """What was approved is what the person saw."""
    run = await waiting(store, files, write("a.txt"))
    call = {"n": 1, "arguments": {"path": "a.txt", "content": "other", "mode": "replace"}}
    edited = await edit(http, run, '"1"', call)
    assert (edited.status_code, edited.headers["ETag"]) == (200, '"2"')
    assert told(await answer(http, run, '"1"')) == (412, "precondition_failed")
    assert (await answer(http, run, '"2"')).status_code == 202
    await go_on(store, files, run)
    assert files.contents["a.txt"] == "other"
