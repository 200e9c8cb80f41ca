"""An id is one call's: made once, answered from the ledger afterwards, refused to another."""

import asyncio
from datetime import timedelta

import pytest

from common.errors import AgenticError
from tests.execution_environment.conftest import asked, tool_call

RUN = "run_" + "0" * 32


async def test_the_same_call_again_is_answered_from_the_ledger(call, demo):
    """Only what may differ between attempts may differ: fence, deadline, request id."""
    given = {"path": "x", "content": "1"}
    first = await call("write_file", _id="a", **given)
    (demo / "x").write_text("changed since")
    context = {"timeout": 5, "request_id": "req_other"}
    again = await call("write_file", context, _id="a", _fence=9, **given)
    assert again == first.model_copy(update={"replayed": True})
    assert (demo / "x").read_text() == "changed since"


@pytest.mark.parametrize(
    ("tool", "arguments", "context"),
    [
        ("write_file", {"path": "x", "content": "2"}, {}),
        ("append_file", {"path": "x", "content": "1"}, {}),
        ("write_file", {"path": "x", "content": "1"}, {"allowed_paths_root": "local/demo2"}),
        (
            "write_file",
            {"path": "x", "content": "1"},
            {"user_id": "ann", "allowed_paths_root": "ann/demo"},
        ),
    ],
)
async def test_a_call_id_belongs_to_one_call(call, demo, tool, arguments, context):
    """Another tool, argument, user or workspace under it is a mistake, and changes nothing."""
    await call("write_file", _id="a", path="x", content="1")
    with pytest.raises(AgenticError) as caught:
        await call(tool, context, _id="a", **arguments)
    assert (caught.value.code, caught.value.outcome) == ("idempotency_conflict", "not_executed")
    assert (demo / "x").read_text() == "1"


async def test_a_failed_call_leaves_its_id_free(call, demo):
    """What was corrected may be tried again under the same id."""
    edits = [{"old_text": "a", "new_text": "b"}]
    with pytest.raises(AgenticError):
        await call("edit_file", _id="a", path="x", edits=edits)
    (demo / "x").write_text("a")
    assert not (await call("edit_file", _id="a", path="x", edits=edits)).replayed


async def test_reads_and_dry_runs_are_never_stored(call, demo):
    """They are made anew each time."""
    (demo / "x").write_text("1")
    for content in ("1", "2"):
        (demo / "x").write_text(content)
        assert (await call("read_file", _id="a", path="x")).output["content"] == content
        dry = await call("write_file", _id="a", _dry_run=True, path="y", content="1")
        assert not dry.replayed
    assert not (await call("write_file", _id="a", path="y", content="1")).replayed


async def test_dry_run_of_a_call_that_was_made_has_its_result(call, demo):
    """It could not happen again, whatever the files are by now; another call cannot have its id either."""
    made = await call("write_file", _id="a", path="y", content="1")
    (demo / "y").write_text("by somebody else")
    dry = await call("write_file", _id="a", _dry_run=True, path="y", content="1")
    assert dry.replayed
    assert dry.receipts == made.receipts
    with pytest.raises(AgenticError) as refusal:
        await call("write_file", _id="a", _dry_run=True, path="y", content="2")
    assert refusal.value.code == "idempotency_conflict"
    assert (demo / "y").read_text() == "by somebody else"


async def test_two_attempts_at_a_call_at_once_make_one_change(call, demo):
    """The second waits for the lock and finds the result."""
    calls = (call("append_file", _id="a", path="x", content="1\n") for _ in range(8))
    results = await asyncio.gather(*calls)
    assert sorted(result.replayed for result in results) == [False] + [True] * 7
    assert (demo / "x").read_text() == "1\n"


async def test_a_call_that_its_run_has_passed_is_expired(assemble, data_dir, demo):
    """Its result is gone: repeating it could double the effect, so it is refused as unknown."""
    parts = assemble(result_ttl=timedelta(0))
    late = tool_call("append_file", _id=f"{RUN}:1:1", path="x", content="1\n")
    await parts.executor.run(late)
    await parts.executor.run(tool_call("append_file", _id=f"{RUN}:2:1", path="x", content="2\n"))
    parts.maintenance.run_now()
    for again in (parts.executor.run(late), parts.settler.settle(asked(late.id))):
        with pytest.raises(AgenticError) as caught:
            await again
        assert (caught.value.code, caught.value.outcome) == ("call_expired", "unknown")
    await parts.close()
    assert (demo / "x").read_text() == "1\n2\n"
