"""Edits of a turn that waits, over HTTP: checked, judged and previewed anew."""

import pytest

from common.approvals.rules import Rule
from tests.orchestrator.builders import event_types
from tests.orchestrator.fakes import broken_inside
from tests.orchestrator.routes.approving import answer, edit, plan_of, served, states, told
from tests.orchestrator.workspace import Files, SomeTools, delete, go_on, read, waiting, write


@pytest.fixture
def files():
    """A workspace with two files."""
    return Files(a__txt="old", b__txt="old")


@pytest.fixture
async def http(store, files):
    """A client."""
    async with served(store, files) as client:
        yield client


def written(path, content="mine", n=1, **more):
    """Return an edited call that writes a file."""
    return {"n": n, "arguments": {"path": path, "content": content, "mode": "upsert"}, **more}


async def test_edited_call_is_previewed_again_and_runs_as_edited(http, store, files):
    """The person approves what they have typed, and sees before what it does."""
    run = await waiting(store, files, write("a.txt"))
    edited = await edit(http, run, '"1"', written("b.txt"))
    plan = edited.json()
    assert (edited.status_code, edited.headers["ETag"], plan["plan_revision"]) == (200, '"2"', 2)
    [call] = plan["calls"]
    assert (call["state"], call["is_edited"], call["arguments"]["path"]) == ("asks", True, "b.txt")
    assert call["preview"]["diff"] == "-old\n+mine\n"
    assert call["preview"]["receipts"][0]["path"] == "b.txt"
    assert await event_types(store, run.session_id) == [
        *(await event_types(store, run.session_id))[:-2], "plan.replaced", "run.awaiting_approval",
    ]  # fmt: skip
    assert (await answer(http, run, '"2"')).status_code == 202
    ended = await go_on(store, files, run)
    assert files.contents == {"a.txt": "old", "b.txt": "mine"}
    assert ended.steps[0].arguments["path"] == "b.txt"


async def test_what_is_edited_is_previewed_against_the_files_as_they_are_now(http, store, files):
    """What was shown of other calls stays, of which there may be a thousand: their receipts tell."""
    run = await waiting(store, files, write("a.txt"), write("b.txt"), write("c.txt"))
    await answer(http, run, '"1"', steps=[2])
    files.contents.update({"a.txt": "changed", "b.txt": "changed", "c.txt": "changed"})
    plan = (await edit(http, run, '"2"', written("c.txt", n=3))).json()
    diffs = [call["preview"]["diff"] for call in plan["calls"]]
    assert diffs == ["-old\n+new\n", "-old\n+new\n", "-changed\n+mine\n"]
    assert states(plan) == ["asks", "approved", "asks"]


async def test_call_that_was_approved_asks_again_once_it_is_edited(http, store, files):
    """What was approved was another call."""
    run = await waiting(store, files, write("a.txt"), delete("b.txt"))
    await answer(http, run, '"1"', steps=[1])
    plan = (await edit(http, run, '"2"', written("c.txt"))).json()
    assert states(plan) == ["asks", "asks"]


async def test_edit_that_a_rule_denies_is_refused_and_the_call_still_asks(http, store, files):
    """A person's edit gets round no rule, and a slip of the pen ends no run."""
    await store.rules.replace("local", [Rule(path="secrets", effect="deny")], None)
    run = await waiting(store, files, write("a.txt"))
    edited = await edit(http, run, '"1"', written("./secrets//k"))
    assert (edited.status_code, edited.json()["code"]) == (422, "invalid_plan")
    plan, etag = await plan_of(http, run)
    assert (states(plan), etag) == (["asks"], '"1"')


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", {"$from": "s1/output/nothing"}])
async def test_edit_that_nobody_can_judge_is_refused(http, store, files, path):
    """Its tool would refuse it as well, and the person would approve what cannot be."""
    run = await waiting(
        store, files, read("a.txt"), write({"$join": [{"$from": "s1/output/content"}]})
    )
    refused = await edit(http, run, '"1"', written(path, n=2))
    assert told(refused) == (422, "invalid_plan")
    named = [field["field"] for field in refused.json()["context"]["fields"]]
    assert named == ["calls.0.arguments"]


async def test_edit_that_a_rule_allows_asks_all_the_same(http, store, files):
    """It is the person's own, and they see what it does before it is made."""
    run = await waiting(store, files, write("a.txt"))
    await store.rules.replace("local", [Rule(path="docs/**", effect="allow")], None)
    assert states((await edit(http, run, '"1"', written("docs/x"))).json()) == ["asks"]


async def test_edit_may_refer_to_what_is_still_to_be_made(http, store, files):
    """It asks when it is reached: what it does depends on that."""
    run = await waiting(store, files, read("a.txt"), write("a.txt"))
    path = {"$join": ["new-", {"$from": "s1/output/content"}]}
    plan = (await edit(http, run, '"1"', written(path, n=2))).json()
    assert states(plan) == ["free", "deferred"]
    ended = await go_on(store, files, run)
    assert ended.status == "awaiting_approval"
    plan, etag = await plan_of(http, run)
    assert states(plan) == ["made", "asks"]
    assert plan["calls"][1]["preview"]["receipts"][0]["path"] == "new-old"
    await answer(http, run, etag)
    await go_on(store, files, run)
    assert files.contents["new-old"] == "mine"


READ = {"n": 1, "arguments": {"path": "b.txt"}}


@pytest.mark.parametrize(
    ("calls", "fields"),
    [
        ([written("c.txt", n=9)], ["calls.0.n"]),
        ([written("c.txt", n=2), written("d.txt", n=2)], ["calls.1.n"]),
        ([written("c.txt", n=2, tool="delete_path")], ["calls.0.tool"]),
        ([written("c.txt", n=2, name="other")], ["calls.0.name"]),
        ([READ], ["calls.0.arguments"]),
        ([{"n": 2, "arguments": {"path": "c.txt"}}], ["calls.0.arguments"]),
        ([written(7, n=2)], ["calls.0.arguments.path"]),
        ([written({"$from": "s3/output/deleted"}, n=2)], ["calls.0.arguments.path"]),
        ([written({"$from": "s1/contents"}, n=2)], ["calls.0.arguments.path"]),
        ([written("a.txt", n=2, more=1) | {"arguments": {}}], ["calls.0.arguments"]),
    ],
    ids=["no such step", "twice", "another tool", "another name", "does not ask", "needs content",
         "another type", "a later step", "no such field", "empty"],
)  # fmt: skip
async def test_plan_that_is_no_edit_of_the_turn_is_refused(http, store, files, calls, fields):
    """A plan never adds, reorders or changes a tool; the error names what to correct."""
    run = await waiting(store, files, read("a.txt"), write("a.txt"), delete("b.txt"))
    refused = await edit(http, run, '"1"', *calls)
    assert told(refused) == (422, "invalid_plan")
    named = {field["field"] for field in refused.json()["context"]["fields"]}
    assert named == set(fields)
    assert (await plan_of(http, run))[1] == '"1"'


async def test_rejected_call_keeps_its_arguments(http, store, files):
    """Whoever wants it otherwise has said no."""
    run = await waiting(store, files, write("a.txt"), delete("b.txt"))
    await answer(http, run, '"1"', "reject", steps=[1])
    refused = await edit(http, run, '"2"', written("c.txt"))
    assert told(refused) == (422, "invalid_plan")
    assert "rejected" in refused.json()["context"]["fields"][0]["message"]


async def test_plan_that_is_sent_back_as_it_was_is_no_edit(http, store, files):
    """An editor that is closed without a change changes nothing; what it shows beside is passed over."""
    run = await waiting(store, files, read("a.txt"), write("a.txt"), delete("b.txt"))
    plan, etag = await plan_of(http, run)
    same = await edit(http, run, etag, *plan["calls"])
    assert (same.status_code, same.headers["ETag"], same.json()) == (200, etag, plan)
    plan["calls"][1]["arguments"]["content"] = "mine"
    changed = (await edit(http, run, etag, *plan["calls"])).json()
    assert [call["is_edited"] for call in changed["calls"]] == [False, True, False]


async def test_same_edit_again_is_one(http, store, files):
    """A client whose answer was lost sends it again; another one under that ETag has seen too little."""
    run = await waiting(store, files, write("a.txt"))
    again = [await edit(http, run, '"1"', written("b.txt")) for _ in range(2)]
    assert [(one.status_code, one.headers["ETag"]) for one in again] == [(200, '"2"')] * 2
    assert told(await edit(http, run, '"1"', written("c.txt"))) == (412, "precondition_failed")
    assert (await event_types(store, run.session_id)).count("plan.replaced") == 1


async def test_edit_of_what_does_not_wait_is_refused(http, store, files):
    """It was answered, or it has ended."""
    run = await waiting(store, files, write("a.txt"))
    await answer(http, run, '"1"')
    assert told(await edit(http, run, '"2"', written("b.txt"))) == (409, "invalid_state")
    assert told(await edit(http, run, '"1"', written("b.txt"))) == (412, "precondition_failed")


async def test_nothing_is_edited_while_it_cannot_be_checked_or_previewed(store, files):
    """Neither without the tools nor without the files is it known what it would do."""
    run, catalogue = await waiting(store, files, write("a.txt")), SomeTools()
    catalogue.is_away = True
    async with served(store, files, catalogue) as http:
        assert told(await edit(http, run, '"1"', written("b.txt"))) == (503, "unavailable")
        catalogue.is_away = False
        files.fault = broken_inside()
        assert told(await edit(http, run, '"1"', written("b.txt"))) == (500, "internal")
        files.fault = None
        plan, etag = await plan_of(http, run)
        assert (etag, plan["calls"][0]["is_edited"]) == ('"1"', False)


async def test_edit_that_cannot_be_made_as_things_are_still_asks(http, store, files):
    """The person sees why, and can mend it."""
    run = await waiting(store, files, delete("a.txt"))
    plan = (await edit(http, run, '"1"', {"n": 1, "arguments": {"path": "none.txt"}})).json()
    [call] = plan["calls"]
    assert (call["state"], call["preview"]["error"]["code"]) == ("asks", "path_not_found")
