"""edit_file: exact replacements and insertions, all of them or none."""

from typing import Annotated

from pydantic import Field

from common.errors import ToolError
from execution_environment import text
from execution_environment.content import Sha256, diff_of, require_unchanged
from execution_environment.sandbox.workspace import Workspace
from execution_environment.text import Text
from execution_environment.tool import Arguments, Output, tool

MAX_EDITS = 1000


class Replacement(Arguments):
    """Replaces every occurrence of `old_text`, of which there must be `expected_count`."""

    old_text: Annotated[str, Field(min_length=1)]
    new_text: str
    expected_count: Annotated[int, Field(ge=1)] = 1


class Insertion(Arguments):
    """Inserts whole lines before line `insert_at_line`; one past the last line appends."""

    insert_at_line: Annotated[int, Field(ge=1)]
    text: str


class EditFileArguments(Arguments):
    """The edits apply in order, each to what the ones before it made."""

    path: str
    edits: Annotated[list[Replacement | Insertion], Field(min_length=1, max_length=MAX_EDITS)]
    expected_sha256: Sha256 | None = None


class Edited(Output):
    """A unified diff of the change, and how often each edit applied."""

    diff: str
    counts: list[int]


@tool(effect="write")
def edit_file(arguments: EditFileArguments, workspace: Workspace) -> Edited:
    """Replace exact text in a file, or insert lines; its encoding, endings and mode are kept."""
    path = arguments.path
    before = workspace.snapshot(path, workspace.bounds.max_write)
    require_unchanged(path, before, arguments.expected_sha256)
    if before.data is None:
        limit = workspace.bounds.max_write
        raise ToolError(
            "file_too_large",
            f"'{path}' is larger than {limit} bytes",
            path=path,
            limit=limit,
            actual=before.size,
        )
    original = text.decode(before.data, path)
    content, counts = original.content, []
    for number, edit in enumerate(arguments.edits, start=1):
        content, count = _apply(edit, number, original, content, path)
        counts.append(count)
    data = original.encode(content)
    workspace.put_file(path, data, before)
    return Edited(diff=diff_of(path, before, data), counts=counts)


def _apply(
    edit: Replacement | Insertion, number: int, form: Text, content: str, path: str
) -> tuple[str, int]:
    if isinstance(edit, Insertion):
        return _insert(edit, form, content, path), 1
    return _replace(edit, number, form, content, path)


def _replace(
    edit: Replacement, number: int, form: Text, content: str, path: str
) -> tuple[str, int]:
    old = form.normalise(edit.old_text)
    count = content.count(old)
    if count == 0:
        raise ToolError(
            "text_not_found",
            f"edit {number}: old_text is not in '{path}'",
            hint=text.closest(content, old),
            path=path,
        )
    if count != edit.expected_count:
        lines = ", ".join(map(str, text.line_numbers(content, old)))
        raise ToolError(
            "text_not_unique",
            f"edit {number}: old_text occurs {count} times in '{path}'",
            hint=f"It occurs on lines {lines}: include more text, or set expected_count to {count}.",
            path=path,
            limit=edit.expected_count,
            actual=count,
        )
    return content.replace(old, form.normalise(edit.new_text)), count


def _insert(edit: Insertion, form: Text, content: str, path: str) -> str:
    lines = content.split("\n")
    last = len(lines) if lines[-1] else len(lines) - 1
    if edit.insert_at_line > last + 1:
        raise ToolError(
            "invalid_arguments",
            f"'{path}' has {last} lines: insert_at_line can be {last + 1} at most",
            path=path,
            limit=last + 1,
            actual=edit.insert_at_line,
        )
    new = form.normalise(edit.text)
    if edit.insert_at_line > last:
        gap = "" if content.endswith("\n") or not content else "\n"
        return content + gap + new
    ending = "" if new.endswith("\n") else "\n"
    at = edit.insert_at_line - 1
    return "\n".join([*lines[:at], new + ending + "\n".join(lines[at:])])
