"""A session: the SDK's operations as calls, and its errors for the services'."""

import io
from pathlib import Path

import pytest
from agents.sandbox import (
    ErrorCode,
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
    WorkspaceReadNotFoundError,
    WorkspaceWriteTypeError,
)
from agents.sandbox.errors import (
    ConfigurationError,
    ExecNonZeroError,
    InvalidManifestPathError,
    WorkspaceStartError,
)
from agents.sandbox.files import EntryKind

from agentic.harnesses.openai_agents.session import inner_of
from common.errors import error
from tests.agentic.harnesses.fakes import refused

DENIED = error("denied_by_rule", "a rule says no")
GONE = error("path_not_found", "nothing there")
DIRECTORY, FILE, LINK = ({"type": kind} for kind in ("directory", "file", "symlink"))
PATH = Path("/workspace/d/a")


def _data(content=b"x"):
    return io.BytesIO(content)


OPERATIONS = {
    "read": lambda session, **who: session.read(PATH, **who),
    "write": lambda session, **who: session.write(PATH, _data(), **who),
    "create": lambda session, **who: session._write_new_file(PATH, _data(), **who),
    "ls": lambda session, **who: session.ls(PATH, **who),
    "rm": lambda session, **who: session.rm(PATH, **who),
    "mkdir": lambda session, **who: session.mkdir(PATH, **who),
    "mv": lambda session, **who: session.mv(PATH, "b", **who),
    "same_file": lambda session, **who: session.same_file(PATH, PATH, **who),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_no_operation_is_done_under_another_name(open_session, operation):
    """It would be done with all that the key may do, whoever was meant."""
    session, orchestrator = await open_session()
    with pytest.raises(ConfigurationError, match=r"no users.*'someone'"):
        await operation(session, user="someone")
    assert orchestrator.requests == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read", WorkspaceArchiveReadError),
        ("write", WorkspaceArchiveWriteError),
        ("create", WorkspaceArchiveWriteError),
        ("ls", WorkspaceArchiveReadError),
        ("rm", ExecNonZeroError),
        ("mkdir", ExecNonZeroError),
        ("mv", WorkspaceArchiveReadError),
        ("same_file", WorkspaceArchiveReadError),
    ],
)
async def test_what_a_rule_denies_is_told_in_the_sdks_error(open_session, name, expected):
    """A model reads its words; `ls` must not be taken for an empty directory."""
    session, _ = await open_session(DENIED)
    with pytest.raises(expected, match=r"denied_by_rule.*a rule says no"):
        await OPERATIONS[name](session)


@pytest.mark.parametrize("name", ["read", "write", "ls", "rm", "mkdir"])
async def test_service_that_is_away_is_worth_another_try(open_session, name):
    """The SDK's errors say whether to: as the services' do."""
    session, _ = await open_session(refused(error("unavailable", "nobody there")))
    with pytest.raises((WorkspaceArchiveReadError, WorkspaceArchiveWriteError)) as caught:
        await OPERATIONS[name](session)
    assert caught.value.retryable is True


async def test_file_that_is_not_there_is_the_sdks_own_error(open_session):
    """Its tools tell models so; it is one that they expect."""
    session, _ = await open_session(GONE)
    with pytest.raises(WorkspaceReadNotFoundError):
        await session.read(PATH)


async def test_directory_that_is_not_there_lists_as_a_command_fails(open_session):
    """What the SDK takes for an empty one, where it clears a workspace."""
    session, _ = await open_session(GONE)
    with pytest.raises(ExecNonZeroError):
        await session.ls(PATH)


async def test_listing_tells_kinds_and_sizes(open_session):
    """By absolute paths, as the SDK's own."""
    entries = [
        {"path": f"d/{kind}", "type": kind, "size": 3} for kind in ("file", "directory", "symlink")
    ]
    session, _ = await open_session({"entries": entries, "next_cursor": None})
    found = await session.ls("d")
    assert [(entry.path, entry.kind, entry.size) for entry in found] == [
        ("/workspace/d/file", EntryKind.FILE, 3),
        ("/workspace/d/directory", EntryKind.DIRECTORY, 3),
        ("/workspace/d/symlink", EntryKind.SYMLINK, 3),
    ]
    assert [entry.is_dir() for entry in found] == [False, True, False]


async def test_file_that_is_there_is_not_created(open_session):
    """FileExistsError is what the SDK's patches look for; nothing is overwritten."""
    session, orchestrator = await open_session(error("already_exists", "it is there"))
    with pytest.raises(FileExistsError, match="it is there"):
        await OPERATIONS["create"](session)
    [(tool, arguments)] = orchestrator.calls
    assert (tool, arguments["mode"]) == ("write_file", "create")


async def test_text_is_no_content(open_session):
    """The SDK writes bytes: another encoding is nobody's guess."""
    session, orchestrator = await open_session()
    with pytest.raises(WorkspaceWriteTypeError):
        await session.write(PATH, io.StringIO("x"))
    assert orchestrator.requests == []


@pytest.mark.parametrize(
    ("recursive", "raised"), [(False, pytest.raises(ExecNonZeroError)), (True, None)]
)
async def test_nothing_is_removed_recursively_without_an_error(open_session, recursive, raised):
    """As `rm -rf` and `rm` are."""
    session, orchestrator = await open_session(GONE)
    if raised:
        with raised:
            await session.rm("d/a", recursive=recursive)
    else:
        await session.rm("d/a", recursive=recursive)
    assert orchestrator.calls == [("delete_path", {"path": "d/a", "recursive": recursive})]


async def test_tree_that_is_not_removed_is_an_error(open_session):
    """Only what is not there may stay unsaid."""
    session, _ = await open_session(DENIED)
    with pytest.raises(ExecNonZeroError, match="denied_by_rule"):
        await session.rm("d", recursive=True)


@pytest.mark.parametrize("path", ["/workspace", ".", "d/.."])
async def test_workspace_itself_stays(open_session, path):
    """It is a person's, whatever an agent makes of it."""
    session, orchestrator = await open_session()
    for operation in (session.rm(path, recursive=True), session.mv(path, "b")):
        with pytest.raises(InvalidManifestPathError):
            await operation
    assert orchestrator.requests == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "/workspace/../a"])
async def test_path_outside_is_refused_before_anything_is_sent(open_session, path):
    """There is nothing but the workspace."""
    session, orchestrator = await open_session()
    with pytest.raises(InvalidManifestPathError):
        await session.read(Path(path))
    assert orchestrator.requests == []


@pytest.mark.parametrize("kind", [DIRECTORY, {"type": "other"}, GONE])
async def test_only_files_and_links_are_moved(open_session, kind):
    """As the SDK says of its own: a directory in a directory would be another thing."""
    session, orchestrator = await open_session(kind)
    with pytest.raises(ExecNonZeroError, match="Only files and links"):
        await session.mv("a", "b")
    assert [tool for tool, _ in orchestrator.calls] == ["get_file_info"]


@pytest.mark.parametrize("kind", [FILE, LINK])
async def test_move_replaces_a_file(open_session, kind):
    """As `mv -f` does."""
    session, orchestrator = await open_session(kind, {})
    await session.mv("a", "b")
    expected = {"source": "a", "destination": "b", "overwrite": True}
    assert orchestrator.calls[1:] == [("move_path", expected)]


async def test_directory_that_is_there_is_not_made_again(open_session):
    """The SDK makes one before each write: a person would be asked twice for one change."""
    session, orchestrator = await open_session(DIRECTORY)
    await session.mkdir("d", parents=True)
    await session.mkdir("/workspace", parents=True)
    assert [tool for tool, _ in orchestrator.calls] == ["get_file_info"]


async def test_directory_is_made(open_session):
    """With `parents` it may come to be there meanwhile."""
    session, orchestrator = await open_session(GONE, {}, {})
    await session.mkdir("d/e", parents=True)
    await session.mkdir("d/f")
    assert orchestrator.calls[1:] == [
        ("create_directory", {"path": "d/e", "exist_ok": True}),
        ("create_directory", {"path": "d/f", "exist_ok": False}),
    ]


@pytest.mark.parametrize(
    ("right", "kind", "follow", "expected"),
    [
        ("d/a", FILE, True, True),
        ("/workspace/d/./a", FILE, False, True),
        ("d/a", LINK, True, True),
        ("d/a", LINK, False, False),
        ("d/a", GONE, True, False),
        ("d/A", FILE, True, False),
    ],
)
async def test_one_path_is_one_file(open_session, right, kind, follow, expected):
    """The SDK removes a patch's source unless this is so: names that differ are two files."""
    session, _ = await open_session(kind)
    assert await session.same_file("d/a", right, follow_symlinks=follow) is expected


async def test_read_only_session_takes_no_archive(open_session):
    """Archives go by a route that no `access` is about."""
    session, orchestrator = await open_session(access="read_only")
    with pytest.raises(WorkspaceArchiveWriteError, match="read_only"):
        await session.hydrate_workspace(_data())
    with pytest.raises(WorkspaceArchiveWriteError, match="read_only"):
        await session._restore_snapshot_into_workspace_on_resume()
    assert orchestrator.requests == []


async def test_session_that_is_gone_does_not_start(open_session):
    """Its own error says what is wrong, in the words of the service."""
    session, orchestrator = await open_session()
    orchestrator.handle_async_request = _gone
    with pytest.raises(WorkspaceStartError, match="session_not_found") as caught:
        await session.start()
    assert caught.value.error_code is ErrorCode.WORKSPACE_START_ERROR
    assert not await session.running()


async def _gone(_):
    return refused(error("session_not_found", "it is gone"))


def test_session_of_another_sandbox_is_refused():
    """A capability of this one can do nothing with it."""
    with pytest.raises(TypeError, match="no session of this sandbox"):
        inner_of(object())
