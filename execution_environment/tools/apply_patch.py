"""apply_patch: a unified diff over several files, all of it or nothing."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from common.errors import ToolError
from common.files.patch_parser import parse
from common.files.patches import FilePatch, failed
from common.files.paths import plain
from common.files.quoting import renaming
from common.tools import FOR_PROGRAMS, touching
from execution_environment.sandbox.limits import CallLimits
from execution_environment.toolkit import patch, text
from execution_environment.toolkit.content import Sha256, diff_of, require_unchanged
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.workspace import Workspace

MAX_FILES = 1000


class ApplyPatchArguments(Arguments):
    """The patch as `git diff` or `diff -u` write it; `expected_sha256` by path."""

    patch: Annotated[str, Field(min_length=1), touching("patch")]
    """A unified diff with paths relative to the workspace, as `git diff` writes it."""
    expected_sha256: Annotated[
        Annotated[dict[str, Sha256], Field(max_length=MAX_FILES)] | None,
        Field(json_schema_extra={FOR_PROGRAMS: True}),
    ] = None
    """By path, as read_file gave it: refuse if a file has another by now."""


class Patched(Output):
    """A unified diff of what changed, and the paths that did."""

    diff: str
    files: list[str]


@tool(effect="destructive")
def apply_patch(arguments: ApplyPatchArguments, workspace: Workspace) -> Patched:
    """Apply a unified diff to several files that you have read: all of it, or nothing.

    Use it only for changes that belong together; to change one file use edit_file.
    """
    files = [
        _with_plain_paths(file) for file in parse(arguments.patch, workspace.limits.check_deadline)
    ]
    expected = _by_plain_path(arguments.expected_sha256 or {})
    strangers = set(expected) - {path for file in files for path in (file.old_path, file.new_path)}
    if strangers:
        raise ToolError(
            "invalid_arguments", f"expected_sha256 names '{min(strangers)}', the patch does not"
        )
    diffs = [_apply(file, expected, workspace) for file in files]
    return Patched(diff="".join(diffs), files=[file.path for file in files])


def _with_plain_paths(file: FilePatch) -> FilePatch:
    old, new = (None if path is None else plain(path) for path in (file.old_path, file.new_path))
    return replace(file, old_path=old, new_path=new)


def _by_plain_path(expected: dict[str, str]) -> dict[str, str]:
    """Return the hashes by the one way to write each path; two for one file must agree."""
    found: dict[str, str] = {}
    for path, sha256 in expected.items():
        if found.setdefault(plain(path), sha256) != sha256:
            raise ToolError(
                "invalid_arguments",
                f"expected_sha256 has two hashes for '{plain(path)}'",
                path=path,
            )
    return found


def _apply(file: FilePatch, expected: dict[str, str], workspace: Workspace) -> str:
    workspace.limits.check_deadline()
    if file.old_path is None:
        return _create(file, expected, workspace)
    before = workspace.reader.snapshot(file.old_path, workspace.limits.max_write)
    require_unchanged(file.old_path, before, expected.get(file.old_path))
    if not file.hunks and file.new_path is not None:
        workspace.entries.move(file.old_path, file.new_path, overwrite=False)
        return renaming(file.old_path, file.new_path)
    data = _changed(file, before, workspace.limits)
    if file.new_path is None:
        return _delete(file.old_path, before, data, workspace)
    if file.new_path == file.old_path:
        workspace.files.put(file.old_path, data, before)
        return diff_of(file.new_path, before, data)
    _require_nothing(file.new_path, workspace)
    workspace.files.put(file.new_path, data, None, mode=before.mode)
    workspace.entries.remove(file.old_path, before, recursive=False)
    head = renaming(file.old_path, file.new_path)
    return head + diff_of(file.new_path, before, data, file.old_path)


def _create(file: FilePatch, expected: dict[str, str], workspace: Workspace) -> str:
    path = file.path
    require_unchanged(path, workspace.reader.find_file(path), expected.get(path))
    _require_nothing(path, workspace)
    data = patch.apply(file, "").encode()
    workspace.files.put(path, data, None)
    return diff_of(path, None, data)


def _delete(path: str, before: Snapshot, rest: bytes, workspace: Workspace) -> str:
    if rest:
        raise failed(f"'{path}' would not be empty", "Take all its lines out to delete it.", path)
    workspace.entries.remove(path, before, recursive=False)
    return diff_of(path, before, None)


def _changed(file: FilePatch, before: Snapshot, limits: CallLimits) -> bytes:
    path = file.old_path or file.path
    if before.data is None:
        raise ToolError("file_too_large", f"'{path}' is too large to be patched", path=path)
    original = text.decode(before.data, path)
    return original.encode(
        original.normalise(patch.apply(file, original.content, limits.check_deadline))
    )


def _require_nothing(path: str, workspace: Workspace) -> None:
    if workspace.reader.find(path) is not None:
        raise ToolError("already_exists", f"'{path}' exists already", path=path, errno="EEXIST")
