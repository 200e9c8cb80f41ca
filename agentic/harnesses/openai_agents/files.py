"""The operations on files that a sandbox has, as tool calls of a session."""

import io
from pathlib import Path
from typing import Any

from agents.sandbox import ExecResult, FileMode, Permissions, WorkspaceWriteTypeError
from agents.sandbox.errors import ExecNonZeroError
from agents.sandbox.files import EntryKind, FileEntry

from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import Contents
from agentic.harnesses.listing import entries_of
from agentic.harnesses.openai_agents.faults import changing, listing, reading, writing
from agentic.harnesses.openai_agents.state import BACKEND
from agentic.harnesses.paths import Root
from common.errors import ToolError

_KINDS = {
    "file": EntryKind.FILE,
    "directory": EntryKind.DIRECTORY,
    "symlink": EntryKind.SYMLINK,
}
_MOVABLE = (EntryKind.FILE, EntryKind.SYMLINK)


class SandboxFiles:
    """Files by absolute paths beneath `root`; errors are the SDK's."""

    def __init__(self, calls: Calls, contents: Contents, root: Root) -> None:
        self._calls = calls
        self._contents = contents
        self._root = root

    async def read(self, path: Path) -> bytes:
        """Return a file's contents."""
        with reading(path):
            return await self._contents.read(self._relative(path))

    async def write(self, path: Path, content: bytes) -> None:
        """Make or replace a file, with the directories above it."""
        with writing(path):
            await self._contents.write(self._relative(path), content)

    async def create(self, path: Path, content: bytes) -> None:
        """Make a new file, with the directories above it; raise FileExistsError where one is."""
        with writing(path):
            try:
                await self._contents.create(self._relative(path), content)
            except ToolError as error:
                if error.code != "already_exists":
                    raise
                raise FileExistsError(error.detail) from error

    async def kind(self, path: Path) -> EntryKind | None:
        """Return what there is at a path; None for nothing. The workspace itself is a directory."""
        with reading(path):
            relative = self._relative(path)
            if relative == ".":  # on the disk it is made by the first change
                return EntryKind.DIRECTORY
            try:
                found = await self._calls.make("get_file_info", path=relative, hash=False)
            except ToolError as error:
                if error.code in ("path_not_found", "not_a_directory"):
                    return None
                raise
        return _KINDS.get(str(found["type"]), EntryKind.OTHER)

    async def entries(self, path: Path) -> list[FileEntry]:
        """Return what is in a directory, ordered by name."""
        with listing(path):
            found = entries_of(self._calls, "list_directory", path=self._relative(path))
            return [self._entry(entry) async for entry in found]

    async def remove(self, path: Path, *, is_recursive: bool) -> None:
        """Remove a file, or, recursively, whatever is there, be it nothing."""
        with changing("rm", path):
            try:
                await self._calls.make(
                    "delete_path", path=self._relative(path), recursive=is_recursive
                )
            except ToolError as error:
                if not is_recursive or error.code != "path_not_found":
                    raise

    async def move(self, source: Path, destination: Path) -> None:
        """Move a file or a link, over a file that is there; directories are refused."""
        if await self.kind(source) not in _MOVABLE:
            raise _refused(source)
        with changing("mv", source, destination):
            await self._calls.make(
                "move_path",
                source=self._relative(source),
                destination=self._relative(destination),
                overwrite=True,
            )

    async def make_directory(self, path: Path, *, may_exist: bool) -> None:
        """Make a directory, with those above it.

        One that is there is looked at first: a call that can change nothing would ask a person.
        """
        if may_exist and await self.kind(path) is EntryKind.DIRECTORY:
            return
        with changing("mkdir", path):
            await self._calls.make(
                "create_directory", path=self._relative(path), exist_ok=may_exist
            )

    def _relative(self, path: Path) -> str:
        return self._root.relative(path.as_posix())

    def _entry(self, found: dict[str, Any]) -> FileEntry:
        kind = _KINDS.get(found["type"], EntryKind.OTHER)
        return FileEntry(
            path=self._root.absolute(found["path"]),
            permissions=_permissions(kind),
            owner=BACKEND,
            group=BACKEND,
            size=found["size"],
            kind=kind,
        )


def content_of(data: io.IOBase, path: Path) -> bytes:
    """Return what is to be written; raise WorkspaceWriteTypeError for what is not bytes."""
    content = data.read()
    if not isinstance(content, bytes | bytearray):
        raise WorkspaceWriteTypeError(path=path, actual_type=type(content).__name__)
    return bytes(content)


def _permissions(kind: EntryKind) -> Permissions:
    """Return what may be done to an entry as such: a listing does not tell modes."""
    may = FileMode.READ | FileMode.WRITE
    if kind is EntryKind.DIRECTORY:
        return Permissions(owner=may | FileMode.EXEC, directory=True)
    return Permissions(owner=may)


def _refused(source: Path) -> ExecNonZeroError:
    why = b"Only files and links that are there can be moved"
    return ExecNonZeroError(ExecResult(stdout=b"", stderr=why, exit_code=1), command=("mv", source))
