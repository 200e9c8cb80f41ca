"""Every planner alike: what is rejected is not done, and whoever decides is told."""

import pytest

from common.approvals.reviews import EditedCall
from tests.system.approvals.asking import (
    append,
    approve,
    asked,
    asking,
    edit,
    outcomes,
    reject,
    states,
    write,
)
from tests.system.models.answers import Answer, calls
from tests.system.models.stack import outputs_in

REASON = "That file is generated: change its source."


async def test_a_plan_goes_on_after_a_rejected_step_where_it_says_so(client):
    """By the step's `on_error`."""
    steps = [append("a", "1\n"), append("b", "2\n")]
    run, shown = await asking(client, *steps, on_error="continue")
    again = await reject(client, shown, steps=[1], reason=REASON)
    assert again.status == "awaiting_approval"
    await approve(client, await asked(client, run, after=shown.plan_revision))
    ended = await client.wait(run.session_id, run.id)
    assert (ended.status, outcomes(ended)) == ("succeeded", ["rejected", "succeeded"])
    assert REASON in ended.steps[0].error.detail


async def test_a_plan_stops_at_a_rejected_step_else(client):
    """What comes after it depends on it, as far as its author knew."""
    run, shown = await asking(client, append("a", "1\n"), append("b", "2\n"))
    await reject(client, shown, steps=[1], reason=REASON)
    await approve(client, await asked(client, run, after=shown.plan_revision))
    ended = await client.wait(run.session_id, run.id)
    assert (ended.status, ended.error.code) == ("failed", "rejected")
    assert [step.status for step in ended.steps] == ["failed"]


async def test_rules_ask_before_they_change_anything_and_end_at_a_rejection(client):
    """A goal of the `rules` planner, whose calls come one by one."""
    session = await client.create_session()
    await client.files.write(session.id, "doomed", b"1")
    goal = {"goal": "delete doomed", "planner": "rules", "approval": "writes"}
    run = await client.start_run(session.id, **goal)
    shown = await asked(client, run)
    assert [(call.tool, call.state) for call in shown.calls] == [("delete_path", "asks")]
    await reject(client, shown, reason=REASON)
    ended = await client.wait(session.id, run.id)
    assert (ended.status, ended.error.code) == ("failed", "rejected")
    assert (await client.files.info(session.id, "doomed")).size == 1
    run = await client.start_run(session.id, **goal)
    await approve(client, await asked(client, run))
    assert (await client.wait(session.id, run.id)).status == "succeeded"


async def test_a_model_is_told_what_was_rejected_and_why_and_decides_anew(stack):
    """It sees a tool's error; what else it wanted in the same turn is done."""
    wanted = calls(write("generated", "1\n"), write("source", "1\n"))
    other = calls(write("source", "2\n", mode="replace"))
    done = Answer(text="Only the source.")
    async with stack.going("Write both", wanted, other, done, approval="writes") as going:
        shown = await asked(going.client, going.run)
        assert states(shown) == ["asks", "asks"]
        await reject(going.client, shown, steps=[1], reason=REASON)
        shown = await asked(going.client, going.run, after=shown.plan_revision)
        await approve(going.client, shown, steps=[2])
        await approve(going.client, await asked(going.client, going.run, shown.plan_revision + 1))
        ended = (await going.end()).run
        assert not (going.root / "generated").exists()
        assert (going.root / "source").read_text() == "2\n"
    assert (ended.status, ended.result.answer) == ("succeeded", "Only the source.")
    assert outcomes(ended) == ["rejected", "succeeded", "succeeded"]
    rejected, written = list(outputs_in(going.asked[1]).values())
    assert REASON in rejected
    assert "source" in written


async def test_a_model_is_told_of_arguments_that_a_person_has_changed(stack):
    """Else it would go on as if its own had been used."""
    wanted = calls(write("notes", "mine\n"))
    edited = EditedCall(n=1, arguments={"path": "other", "content": "edited\n"})
    said = Answer(text="Done.")
    async with stack.going("Write notes", wanted, said, approval="writes") as going:
        shown = await edit(going.client, await asked(going.client, going.run), edited)
        assert shown.calls[0].is_edited
        await approve(going.client, shown)
        ended = (await going.end()).run
        assert [path.name for path in going.root.iterdir()] == ["other"]
    [told] = outputs_in(going.asked[1]).values()
    assert ended.steps[0].arguments == edited.arguments
    assert "a person" in told.lower()


@pytest.mark.parametrize("approval", ["plan", "always"])
async def test_a_models_reads_ask_under_policies_that_say_so(stack, approval):
    """`plan`: the first turn as a whole, and none after it; `always`: each of them."""
    look = calls(("list_directory", {}))
    said = Answer(text="Empty.")
    async with stack.going("Look twice", look, look, said, approval=approval) as going:
        shown = await asked(going.client, going.run)
        assert states(shown) == ["asks"]
        await approve(going.client, shown)
        if approval == "always":
            await approve(going.client, await asked(going.client, going.run, shown.plan_revision))
        ended = (await going.end()).run
    assert (ended.status, outcomes(ended)) == ("succeeded", ["succeeded", "succeeded"])
    assert len(going.heard("run.awaiting_approval")) == (2 if approval == "always" else 1)


async def test_a_run_that_may_only_read_changes_nothing_and_its_model_is_told(stack):
    """The execution environment refuses it itself: nobody is asked."""
    wanted = calls(write("notes", "1\n"))
    said = Answer(text="I may not.")
    wishes = {"access": "read_only", "approval": "writes"}
    async with stack.going("Write notes", wanted, said, **wishes) as going:
        ended = (await going.end()).run
        assert not going.root.exists() or not list(going.root.iterdir())
    assert (ended.status, ended.steps[0].status) == ("succeeded", "failed")
    assert going.heard("run.awaiting_approval") == []
