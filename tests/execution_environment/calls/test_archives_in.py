"""Archives, beside an earlier attempt, and when they are given up half way."""

import asyncio
import os
import threading
import time

import pytest

from execution_environment.archives.hash_cache import TICK
from execution_environment.archives.hashing import Hasher
from execution_environment.archives.surveying import Survey
from execution_environment.calls.file_request import FileRequest
from execution_environment.threads import ThreadPool
from tests.execution_environment.archives.building import archive, files, gone, put
from tests.execution_environment.conftest import (
    call_limits,
    pieces,
    refusal,
    staged_in,
    tool_call,
    workspace_over,
)


def asked(call_id="put-1", **context):
    """Return who puts an archive."""
    return FileRequest(call_id, 0, ".", tool_call("x", context).context)


async def none_staged(data_dir):
    """Wait until nothing is staged but the process's own directory."""
    async with asyncio.timeout(10):
        while len(staged_in(data_dir)) > 1:
            await asyncio.sleep(0.01)


async def test_nobody_has_to_read_again_what_an_archive_has_put(assemble, demo, monkeypatch):
    """The next comparison of ten thousand files that were pushed would take as long as the push."""

    def later(step):
        if step == "checked":  # between what is written and its rename, the clock goes on
            time.sleep(2 * TICK / 1e9)

    parts = assemble(observe=later)
    contents = {f"d/{n}": b"%d" % n for n in range(20)} | {"same": b"1", "run": b"x" * 100}
    await parts.archives_in.take(asked(), pieces(files(contents)), force=False)
    monkeypatch.setattr(Hasher, "_read", lambda *_: pytest.fail("a file was read"))
    root = workspace_over(parts.sandbox).files.root
    found = Survey(root, call_limits(), parts.hashes).walk()
    hashed = {b"/".join(item.parts).decode(): item.sha256 for item in found if item.sha256}
    assert hashed.keys() == contents.keys()
    await parts.close()


async def test_an_archive_whose_earlier_attempt_ends_meanwhile_is_answered_with_its_result(
    parts, demo, data_dir
):
    """Its own contents may be cut, or have no room any more: none of that matters now."""
    body = files({"a": b"1" * 5000, "b": b"2" * 5000})

    for number, end in enumerate((body[4000:], body[4000:6000], b"x" * 20_000)):
        for path in demo.iterdir():
            path.unlink()
        request = asked(f"put-{number}")

        async def slices(end=end, request=request):
            yield body[:4000]
            await parts.archives_in.take(request, pieces(body), force=False)
            yield end

        result = await parts.archives_in.take(request, slices(), force=False)
        assert (result.replayed, result.created, len(result.receipts)) == (True, 2, 2)
    await none_staged(data_dir)


async def test_an_archive_that_is_cancelled_while_it_is_written_leaves_nothing_staged(
    parts, data_dir, demo
):
    """The thread goes on when the request is gone; what it makes is removed after it, not before."""
    arrived, gate = asyncio.Event(), threading.Event()
    loop, open_workspace = asyncio.get_running_loop(), parts.archives_in._workspaces.open

    def slow(*given, **more):
        workspace = open_workspace(*given, **more)
        receive = workspace.change.receive

        def late():
            loop.call_soon_threadsafe(arrived.set)
            assert gate.wait(10)
            return receive()

        workspace.change.receive = late
        return workspace

    parts.archives_in._workspaces.open = slow
    body = files({"a": b"1", "b": b"2"})
    taking = asyncio.create_task(parts.archives_in.take(asked(), pieces(body), force=False))
    await arrived.wait()
    taking.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await none_staged(data_dir)
    assert list(demo.iterdir()) == []


async def test_an_archive_that_comes_too_slowly_is_given_up_at_its_deadline(parts, data_dir, demo):
    """However small its pieces are."""
    body = files({"a": b"1"})

    async def slowly():
        for at in range(len(body)):
            yield body[at : at + 1]
            await asyncio.sleep(0.001)

    error = await refusal(parts.archives_in.take(asked(timeout=0.1), slowly(), force=False))
    assert (error.code, error.outcome) == ("deadline_exceeded", "not_executed")
    await none_staged(data_dir)
    assert list(demo.iterdir()) == []


async def test_a_content_whose_file_changes_while_it_is_copied_is_missing(parts, demo):
    """What was known of the file is not what was read: nothing wrong is put anywhere."""
    (demo / "a").write_bytes(b"1")
    make = parts.archives_in._survey

    def outdated(workspace):
        survey = make(workspace)
        walk = survey.walk

        def walked(*given):
            for found in walk(*given):
                (demo / "a").write_bytes(b"2")
                yield found

        survey.walk = walked
        return survey

    parts.archives_in._survey = outdated
    body = archive(put("b", b"1"))
    error = await refusal(parts.archives_in.take(asked(), pieces(body), force=False))
    assert (error.code, error.context.actual) == ("content_missing", 1)
    assert os.listdir(demo) == ["a"]


async def test_a_directory_that_may_not_be_changed_refuses_the_whole_archive(
    parts, demo, monkeypatch
):
    """Found out between two renames, it would leave the archive half done."""
    for name in ("open", "closed"):
        (demo / name).mkdir()
        (demo / name / "x").write_bytes(b"1")
    (demo / "closed").chmod(0o555)

    def as_an_owner(_name, _mode, *, dir_fd, effective_ids):
        """Whoever runs these tests may be root, to whom no mode says no."""
        assert effective_ids
        return bool(os.fstat(dir_fd).st_mode & 0o200)

    monkeypatch.setattr(os, "access", as_an_owner)
    for entry in (put("closed/new", b"2"), put("closed/d/e", b"2"), gone("closed/x", b"1")):
        body = archive(put("open/y", b"2"), entry, bodies=[b"2"])
        error = await refusal(parts.archives_in.take(asked(), pieces(body), force=False))
        assert (error.code, error.context.path) == ("permission_denied", "closed")
    assert sorted(os.listdir(demo / "open")) == ["x"]
    (demo / "closed").chmod(0o755)


async def test_archives_of_one_user_hold_no_more_than_his_threads(assemble):
    """Each may hash a whole workspace: others would wait for all of them."""
    parts = assemble(threads=ThreadPool(4, 64))
    begun, gate, make = [], threading.Event(), parts.archives_in._survey

    def slow(workspace):
        begun.append(workspace)
        assert gate.wait(10)
        return make(workspace)

    parts.archives_in._survey = slow
    body = files({"a": b"1"})
    taking = [
        asyncio.create_task(
            parts.archives_in.take(
                asked(name, allowed_paths_root=f"local/{name}"), pieces(body), force=False
            )
        )
        for name in ("one", "two", "three")
    ]
    async with asyncio.timeout(10):
        while not begun or len(parts.threads._waiting) < 2:
            await asyncio.sleep(0.01)
    assert len(begun) == 1
    gate.set()
    results = await asyncio.gather(*taking)
    assert [result.created for result in results] == [1, 1, 1]
    await parts.close()
