"""edit_file: exact replacements and insertions, all of them or none."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, model_validator

from common.errors import ToolError
from common.tools import touching
from execution_environment.sandbox.limits import CallLimits
from execution_environment.toolkit import text, white_space
from execution_environment.toolkit.content import Expected, diff_of, require_unchanged
from execution_environment.toolkit.line_blocks import LineBlocks
from execution_environment.toolkit.text import Text
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.workspace import Workspace

MAX_EDITS = 1000


class Replacement(Arguments):
    """Replaces every occurrence of `old_text`, of which there must be `expected_count`.

    With `replace_all`, however many there are, but at least one.
    """

    old_text: Annotated[str, Field(min_length=1)]
    """The exact text to replace, with its white space, as read_file shows it."""
    new_text: str
    """What to put there; empty deletes."""
    expected_count: Annotated[int, Field(ge=1)] = 1
    """How often `old_text` occurs; all of them are replaced."""
    replace_all: bool = False
    """Replace it wherever it occurs, at least once; not together with expected_count."""

    @model_validator(mode="after")
    def _one_number_of_occurrences(self) -> Self:
        if self.replace_all and "expected_count" in self.model_fields_set:
            raise ValueError("give either expected_count or replace_all")
        return self


class Insertion(Arguments):
    """Inserts whole lines before line `insert_at_line`; one past the last line appends."""

    insert_at_line: Annotated[int, Field(ge=1)]
    """The line to insert before, counted from 1; one past the last appends."""
    text: str
    """Whole lines to insert."""


class EditFileArguments(Arguments):
    """The edits apply in order, each to what the ones before it made."""

    path: Annotated[str, touching("path")]
    """The file, relative to the workspace."""
    edits: Annotated[list[Replacement | Insertion], Field(min_length=1, max_length=MAX_EDITS)]
    """Made in order, all or none; each sees what those before it made."""
    expected_sha256: Expected = None
    """As read_file gave it: refuse if the file has another by now."""


class Edited(Output):
    """A unified diff of the change, and how often each edit applied."""

    diff: str
    counts: list[int]


@tool(effect="write")
def edit_file(arguments: EditFileArguments, workspace: Workspace) -> Edited:
    """Replace exact text in a file, or insert lines. Use it to change part of a file you have read."""
    path = arguments.path
    before = workspace.reader.snapshot(path, workspace.limits.max_write)
    require_unchanged(path, before, arguments.expected_sha256)
    if before.data is None:
        raise _too_large(path, workspace.limits.max_write, before.size)
    original = text.decode(before.data, path)
    editing = _Editing(path, original, workspace.limits)
    counts = editing.apply(arguments.edits)
    data = original.encode(editing.content)
    workspace.files.put(path, data, before)
    return Edited(diff=diff_of(path, before, data), counts=counts)


class _Editing:
    """A text while it is edited, within the call's limits."""

    def __init__(self, path: str, original: Text, limits: CallLimits) -> None:
        self._path = path
        self._form = original
        self._limits = limits
        self._content = original.content
        self._blocks: LineBlocks | None = None

    def apply(self, edits: Iterable[Replacement | Insertion]) -> list[int]:
        """Make the edits in order; return how often each applied."""
        counts = []
        for number, edit in enumerate(edits, start=1):
            self._limits.check_deadline()
            if isinstance(edit, Insertion):
                counts.append(self._insert(edit))
            else:
                counts.append(self._replace(number, edit))
        return counts

    @property
    def content(self) -> str:
        """The text as it is now; insertions that follow each other don't need it as a whole."""
        if self._blocks is not None:
            self._content, self._blocks = self._blocks.join(), None
        return self._content

    def _replace(self, number: int, edit: Replacement) -> int:
        old, new = self._form.normalise(edit.old_text), self._form.normalise(edit.new_text)
        count = self._count(number, old, None if edit.replace_all else edit.expected_count)
        self._require_room(count * (len(new) - len(old)))
        self._content = self.content.replace(old, new)
        return count

    def _count(self, number: int, old: str, expected: int | None) -> int:
        count = self.content.count(old)
        if count == 0:
            raise ToolError(
                "text_not_found",
                f"edit {number}: old_text is not in '{self._path}'",
                hint=white_space.hint(self.content, old) or text.closest(self.content, old),
                path=self._path,
            )
        if expected not in (None, count):
            lines = ", ".join(map(str, text.line_numbers(self.content, old)))
            raise ToolError(
                "text_not_unique",
                f"edit {number}: old_text occurs {count} times in '{self._path}'",
                hint=f"It occurs on lines {lines}: include more text, set expected_count to"
                f" {count}, or replace_all.",
                path=self._path,
                limit=expected,
                actual=count,
            )
        return count

    def _require_room(self, growth: int) -> None:
        """Raise before a text is made that is too large to be written: it need not fit in memory."""
        size = len(self.content) + growth
        if size > self._limits.max_write:
            raise _too_large(self._path, self._limits.max_write, size)

    def _insert(self, edit: Insertion) -> int:
        if self._blocks is None:
            self._blocks = LineBlocks(self._content)
        last = self._blocks.last_line
        if edit.insert_at_line > last + 1:
            raise ToolError(
                "invalid_arguments",
                f"'{self._path}' has {last} lines: insert_at_line can be {last + 1} at most",
                hint="To change a line that is there, read the file and give old_text and new_text.",
                path=self._path,
                limit=last + 1,
                actual=edit.insert_at_line,
            )
        self._blocks.insert(edit.insert_at_line, self._form.normalise(edit.text))
        return 1


def _too_large(path: str, limit: int, actual: int) -> ToolError:
    return ToolError(
        "file_too_large",
        f"'{path}' is, or would be, larger than {limit} bytes",
        path=path,
        limit=limit,
        actual=actual,
    )
