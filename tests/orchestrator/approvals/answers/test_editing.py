"""Edits, without a store: what they make of a review."""

import pytest

from common.approvals.reviews import PlanReplace
from common.approvals.rules import Rule
from common.errors import ClientError, ToolError
from orchestrator.approvals.answers.editing import Editing
from orchestrator.approvals.rehearsing import Rehearsal
from orchestrator.store.records import RuleLayers
from tests.orchestrator.approvals.turns import SESSION, NoRules, Reviews, call, waits
from tests.orchestrator.builders import code_of, step
from tests.orchestrator.workspace import TOOLS, Files


async def tools():
    """Return the tools."""
    return TOOLS


async def edited(reviews, files, *calls, expected=1, rules=None):
    """Edit; return what the store is told last, None where it is told nothing."""
    body = PlanReplace.model_validate({"calls": calls})

    async def dry_run(tool, arguments):
        return await files.run(_Look(tool, arguments))

    rehearsal = Rehearsal(dry_run, "req_1", 5.0)
    editing = Editing(reviews, rules or NoRules(), tools)
    await editing.replace(SESSION, reviews.waiting.document.id, expected, body, rehearsal)
    return reviews.said[-1] if reviews.said else None


class _Look:
    """A dry run."""

    id, dry_run = "x", True

    def __init__(self, tool, arguments):
        self.tool, self.arguments = tool, arguments


def write(n, path, content="mine"):
    """Return an edited call."""
    return {"n": n, "arguments": {"path": path, "content": content}}


CALLS = [call(1, path="a"), call(2, path="b")]


async def test_edit_tells_the_store_what_is_asked_then():
    """The arguments lie beside the turn, which stays as it was decided."""
    said = await edited(Reviews(waits(CALLS, ["asks", "approved"])), Files(), write(2, "c"))
    assert (said.event, said.data) == ("plan.replaced", {"t": 1, "steps": [2]})
    first, second = said.review.calls
    assert (first.arguments, second.arguments) == (None, {"path": "c", "content": "mine"})
    assert (second.state, second.preview.receipts[0].path) == ("asks", "c")


class _Denials:
    """Rules by which secrets are nobody's."""

    async def for_run(self, session_id, user_id):
        """Return them."""
        return RuleLayers(user=[Rule(path="secrets", effect="deny")])


async def test_edit_that_a_rule_denies_is_refused_with_the_rule():
    """A slip of the pen must not end the run: nobody would be asked about the call any more."""
    reviews = Reviews(waits(CALLS, ["asks", "asks"]))
    with pytest.raises(ClientError) as caught:
        await edited(reviews, Files(), write(2, "./secrets//k"), rules=_Denials())
    [field] = caught.value.context.fields
    assert (caught.value.code, field.field) == ("invalid_plan", "calls.0.arguments")
    assert "'secrets'" in field.message
    assert reviews.said == []


async def test_review_that_the_run_cannot_store_goes_without_its_diffs():
    """Its receipts are what is approved; a person can read the files themselves."""
    full = ToolError("output_too_large", "The run is full")
    reviews = Reviews(waits(CALLS, ["asks", "asks"]), full)
    said = await edited(reviews, Files(), write(2, "c"))
    assert len(reviews.said) == 2
    assert [one.preview.diff for one in said.review.calls] == [None, None]
    assert all(one.preview.receipts for one in said.review.calls)
    reviews = Reviews(waits(CALLS, ["asks", "asks"]), full, full)
    assert await code_of(edited(reviews, Files(), write(2, "c"))) == "output_too_large"


async def test_another_refusal_of_the_store_goes_through():
    """Somebody has answered while it was previewed."""
    gone = ToolError("rejected", "no")
    reviews = Reviews(waits(CALLS, ["asks", "asks"]), gone)
    assert await code_of(edited(reviews, Files(), write(2, "c"))) == "rejected"
    assert len(reviews.said) == 1


@pytest.mark.parametrize(("given", "is_edit"), [(1, False), (True, True), (1.0, True)])
async def test_edit_is_told_from_none_as_json_tells_values_apart(given, is_edit):
    """`1` and `true` are equal here, and two things to a tool."""
    tool = {"path": ".", "limit": 1}
    calls = [call(1, "list_directory", arguments=tool)]
    reviews = Reviews(waits(calls, ["free"]))
    edit = edited(reviews, Files(), {"n": 1, "arguments": {**tool, "limit": given}})
    if is_edit:
        assert await code_of(edit) == "invalid_plan"
    else:
        assert await edit is None


async def test_edit_that_comes_too_late_is_not_previewed():
    """Only the store can tell whether it is one that was heard before."""
    files = Files()
    said = await edited(Reviews(waits(CALLS, ["asks"] * 2, revision=3)), files, write(9, "c"))
    assert (said.expected, said.review.calls, files.dry_runs) == (1, [], [])


async def test_calls_that_are_made_stay_in_the_review():
    """What was said of them is still to be seen."""
    waiting = waits(CALLS, ["approved", "asks"], steps=[step(1, name="s1", status="succeeded")])
    said = await edited(Reviews(waiting), Files(), write(2, "a"))
    assert [one.state for one in said.review.calls] == ["approved", "asks"]
    assert said.review.calls[1].preview.depends_on_step is None


@pytest.mark.parametrize("state", ["approved", "asks", "free"])
async def test_call_that_is_made_is_not_edited(state):
    """The run would wait for an answer to what has happened."""
    made = step(1, name="s1", status="succeeded", arguments={"path": "a", "content": "new"})
    reviews = Reviews(waits(CALLS, [state, "asks"], steps=[made]))
    with pytest.raises(ClientError) as caught:
        await edited(reviews, Files(), write(1, "c"))
    [field] = caught.value.context.fields
    assert (caught.value.code, field.field) == ("invalid_plan", "calls.0.arguments")
    assert "the call is made" in field.message
    # sent back as it is shown, with what its references came to, it is no edit
    shown = {"n": 1, "arguments": made.arguments}
    said = await edited(reviews, Files(), shown, write(2, "c"))
    assert said.data["steps"] == [2]
