"""What came of a step, as text that a model reads well; the record keeps all of it."""

import json
from collections.abc import Callable

from pydantic import JsonValue, ValidationError

from common.errors import Problem
from common.models import Lenient
from common.runs import Step
from orchestrator.planners.llm.context.cutting import LeftOut, cut
from orchestrator.planners.llm.context.marks import harmless, marked

MAX_RECEIPTS = 20
MAX_DIFF = 3000
"""Characters of a change's diff: the model has written it itself."""
MAX_DETAIL = 1000
"""Characters of an error's detail."""
MAX_REASON = 2100
"""Characters of the detail where a person gives a reason, which is told as a whole."""
NOTHING = "(nothing has changed by it)"
_ON_PATHS = frozenset({"copy_path", "create_directory", "delete_path", "move_path"})
"""Tools whose receipts say all that they have done."""
_SAID_BY_CODE = frozenset({"path", "tool", "errno"})
"""Of an error's context: what its detail says anyway."""


class _File(Lenient):
    content: str
    encoding: str = "utf-8"
    start_line: int | None = None
    end_line: int | None = None
    total_lines: int | None = None
    truncated: bool = False


class _NamedFile(Lenient):
    path: str
    error: Problem | None = None


class _Files(Lenient):
    files: list[dict[str, JsonValue]]


class _Entry(Lenient):
    path: str
    type: str
    size: int


class _Page(Lenient):
    entries: list[_Entry]
    next_cursor: str | None = None


class _Match(Lenient):
    path: str
    line: int
    text: str
    before: list[str] = []
    after: list[str] = []


class _Matches(Lenient):
    matches: list[_Match]
    total: int


class _Diff(Lenient):
    diff: str


_Output = dict[str, JsonValue]


def output_text(step: Step, most: int) -> str:
    """Return what came of a step in about `most` characters, marked as data; an error as it is."""
    if step.error is not None:
        return error_text(step.error)
    facts, text = _readable(step, most)
    return marked("tool_output", text, **facts)


def error_text(error: Problem) -> str:
    """Say what an error was, and what would help."""
    facts = {key: value for key, value in error.context.items() if key not in _SAID_BY_CODE}
    told = f"\n{cut(_json(facts), MAX_DETAIL)}" if facts else ""
    detail = cut(error.detail, MAX_REASON if error.code == "rejected" else MAX_DETAIL)
    return harmless(f"Error {error.code}: {detail}{told}\nHint: {error.hint}")


def _readable(step: Step, most: int) -> tuple[dict[str, str], str]:
    output = step.output or {}
    try:
        if step.tool == "read_file":
            return _file(output, most)
        as_text = _TEXTS.get(step.tool)
        if as_text is not None:
            return {}, cut(as_text(output, most), most)
    except ValidationError:  # another service's tool of that name: shown as any other
        pass
    is_silent = step.tool == "delete_path" or not any(output.values())
    return {}, cut(_done(step) if is_silent else _json(output), most)


def _file(output: _Output, most: int) -> tuple[dict[str, str], str]:
    file = _File.model_validate(output)
    facts = {} if file.encoding == "utf-8" else {"encoding": file.encoding}
    if file.start_line is not None:
        total = "" if file.total_lines is None else f" of {file.total_lines}"
        facts["lines"] = f"{file.start_line}-{file.end_line}{total}"
    text = cut(file.content, most, lambda left_out: _read_on(left_out, file))
    if file.truncated and file.end_line is not None:
        text += f"\n[… more follows: read on with start_line={file.end_line + 1} …]"
    is_empty = file.total_lines == 0
    return facts, text or ("(the file is empty)" if is_empty else "(the file ends before that)")


def _read_on(left_out: LeftOut, file: _File) -> str:
    """Say what of a file was left out, in its own lines, and how to read that."""
    if not left_out.lines or file.start_line is None:
        return f"{left_out} left out: read them with offset and max_bytes"
    first = file.start_line + left_out.first_line - 1
    there = LeftOut(first, left_out.lines, left_out.characters)
    return f"{there} left out: read them with start_line={first} and max_lines"


def _files(output: _Output, most: int) -> str:
    files = _Files.model_validate(output).files
    return "\n".join(_named_file(file, most // max(1, len(files))) for file in files)


def _named_file(file: _Output, most: int) -> str:
    named = _NamedFile.model_validate(file)
    if named.error is not None:
        return f"== {named.path}\n{error_text(named.error)}"
    facts, text = _file(file, most)
    told = "".join(f", {key} {value}" for key, value in facts.items())
    return f"== {named.path}{told}\n{text}"


def _entries(output: _Output, _most: int) -> str:
    page = _Page.model_validate(output)
    lines = [_entry(entry) for entry in page.entries] or ["(nothing there)"]
    if page.next_cursor is not None:
        lines.append(f"[… more follow: cursor={_json(page.next_cursor)} …]")
    return "\n".join(lines)


def _entry(entry: _Entry) -> str:
    if entry.type == "directory":
        return f"{entry.path}/"
    size = f"{entry.size} bytes" if entry.type == "file" else entry.type
    return f"{entry.path} ({size})"


def _matches(output: _Output, _most: int) -> str:
    found = _Matches.model_validate(output)
    lines = [line for match in found.matches for line in _match(match)] or ["(no match)"]
    if found.total > len(found.matches):
        lines.append(f"[… {found.total - len(found.matches)} further matches …]")
    return "\n".join(lines)


def _match(match: _Match) -> list[str]:
    """Write a match as grep does: with `:` where it is, with `-` around it."""
    first = match.line - len(match.before)
    before = [f"{match.path}-{n}-{text}" for n, text in enumerate(match.before, first)]
    after = [f"{match.path}-{n}-{text}" for n, text in enumerate(match.after, match.line + 1)]
    return [*before, f"{match.path}:{match.line}:{match.text}", *after]


def _diff(output: _Output, _most: int) -> str:
    return cut(_Diff.model_validate(output).diff, MAX_DIFF) or NOTHING


def _done(step: Step) -> str:
    if not step.receipts and step.tool in _ON_PATHS:
        return NOTHING
    shown = [f"{it.operation} {it.path}" for it in step.receipts[:MAX_RECEIPTS]]
    more = len(step.receipts) - len(shown)
    return "\n".join(["done", *shown, *([f"[… {more} further paths …]"] if more else [])])


def _json(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_TEXTS: dict[str, Callable[[_Output, int], str]] = {
    "read_files": _files,
    "list_directory": _entries,
    "find_files": _entries,
    "search_files": _matches,
    "edit_file": _diff,
    "write_file": _diff,
    "append_file": _diff,
    "apply_patch": _diff,
}
