"""Files that change between a preview and its approval: never overwritten, asked about once more."""

from hashlib import sha256

import pytest

from common.approvals.reviews import EditedCall
from tests.system.approvals.asking import (
    append,
    approve,
    asked,
    asking,
    outcomes,
    plan_of,
    states,
    write,
)

THEIRS = b"somebody else's\n"


@pytest.fixture
async def session(client):
    """A session of the shared services on a workspace of its own, with a file."""
    session = await client.create_session()
    await client.files.write(session.id, "notes", b"old\n")
    return session


async def content_of(client, session, path):
    """Return what a file holds."""
    async with client.files.read(session.id, path) as download:
        return b"".join([piece async for piece in download.pieces()])


async def upload(client, session):
    """Change the file as a person does it."""
    await client.files.write(session.id, "notes", THEIRS)


async def run_of_another_session(client, session):
    """Change it as a run does it, of a session that shares the workspace."""
    other = await client.create_session(session.workspace)
    plan = plan_of(write("notes", THEIRS.decode(), mode="upsert"))
    run = await client.start_run(other.id, plan=plan)
    assert (await client.wait(other.id, run.id)).status == "succeeded"


@pytest.mark.parametrize("change", [upload, run_of_another_session])
async def test_a_file_that_changed_since_its_preview_is_asked_about_once_more(
    client, session, change
):
    """What was approved was another change: it is shown as it would be now, and only that is made."""
    ours = write("notes", "ours\n", mode="upsert")
    run, shown = await asking(client, ours, session=session)
    assert "-old" in shown.calls[0].preview.diff
    await change(client, session)
    await approve(client, shown)
    again = await asked(client, run, after=shown.plan_revision)
    assert await content_of(client, session, "notes") == THEIRS
    assert "-somebody else's" in again.calls[0].preview.diff
    assert again.calls[0].preview.receipts[0].sha256_before == sha256(THEIRS).hexdigest()
    await approve(client, again)
    ended = await client.wait(session.id, run.id)
    assert (ended.status, outcomes(ended)) == ("succeeded", ["succeeded"])
    assert await content_of(client, session, "notes") == b"ours\n"


async def test_a_newcomer_at_a_path_where_nothing_was_is_not_overwritten(client, session):
    """`expected_sha256` cannot say that nothing was there; what was approved can."""
    run, shown = await asking(client, write("new", "ours\n", mode="upsert"), session=session)
    await client.files.write(session.id, "new", THEIRS)
    await approve(client, shown)
    again = await asked(client, run, after=shown.plan_revision)
    assert await content_of(client, session, "new") == THEIRS
    await client.cancel_run(session.id, run.id)
    assert (await client.wait(session.id, run.id)).status == "cancelled"
    assert again.plan_revision > shown.plan_revision
    assert await content_of(client, session, "new") == THEIRS


async def test_a_directory_that_got_another_file_is_not_deleted_with_it(client, session):
    """The person has seen what was in it."""
    await client.files.write(session.id, "d/one", b"1")
    delete = ("delete_path", {"path": "d", "recursive": True})
    run, shown = await asking(client, delete, session=session)
    await client.files.write(session.id, "d/two", THEIRS)
    await approve(client, shown)
    again = await asked(client, run, after=shown.plan_revision)
    assert await content_of(client, session, "d/two") == THEIRS
    await approve(client, again)
    assert (await client.wait(session.id, run.id)).status == "succeeded"


async def test_what_was_done_before_the_changed_file_is_not_done_again(client, session):
    """Only the calls that are not yet made ask once more."""
    steps = [append("log", "1\n"), write("notes", "ours\n", mode="upsert"), append("end", "2\n")]
    run, shown = await asking(client, *steps, session=session)
    await upload(client, session)
    await approve(client, shown)
    again = await asked(client, run, after=shown.plan_revision)
    assert states(again) == ["made", "asks", "asks"]
    await approve(client, again)
    ended = await client.wait(session.id, run.id)
    assert (ended.status, outcomes(ended)) == ("succeeded", ["succeeded"] * 3)
    assert await content_of(client, session, "log") == b"1\n"
    assert await content_of(client, session, "end") == b"2\n"


async def test_an_edited_call_is_made_as_it_was_edited(client, session):
    """What was shown after the edit is what is approved: nothing of the first arguments is done."""
    run, shown = await asking(client, append("log", "theirs\n"), session=session)
    edited = await client.replace_plan(
        session.id,
        run.id,
        [EditedCall(n=1, arguments={"path": "log", "content": "edited\n"})],
        shown.plan_revision,
    )
    assert "+edited" in edited.calls[0].preview.diff
    await approve(client, edited)
    ended = await client.wait(session.id, run.id)
    assert ended.steps[0].arguments["content"] == "edited\n"
    assert await content_of(client, session, "log") == b"edited\n"
