"""A small workspace as the planner sees it, and its calls in the words of docs/rules.md."""

from common.errors import ToolError
from common.files.globs import compile_glob
from orchestrator.planners.decisions import CallTools
from orchestrator.planners.protocol import History, Surroundings
from orchestrator.planners.rules.planner import RulesPlanner
from tests.orchestrator.builders import step

FOLDERS = {".", "src", "docs", "build"}
FILES = [
    "README.md",
    "a.txt",
    "b.txt",
    "my notes.txt",
    "old.log",
    "old.tmp",
    "src/main.py",
    "src/old.tmp",
]
UNSAID = {"hash", "limit", "literal", "max_bytes", "expected_sha256", "expected_count"}
"""Bounds and safeguards, which are the same for every sentence."""


def _page(arguments):
    if arguments["path"] in FOLDERS:
        return {"entries": [], "next_cursor": None}
    is_file = "." in arguments["path"]
    raise ToolError("not_a_directory" if is_file else "path_not_found", "no such directory")


def _found(arguments):
    glob, base = compile_glob(arguments["glob"]), arguments["path"]
    prefix = "" if base == "." else f"{base}/"
    there = FILES if arguments["type"] == "file" else FOLDERS
    names = [name for name in there if name.startswith(prefix)]
    matching = [name for name in names if glob.fullmatch(name.removeprefix(prefix))]
    entries = [{"path": name, "type": arguments["type"]} for name in matching]
    return {"entries": entries, "next_cursor": None}


def _hit(arguments):
    path = arguments["path"] if "." in arguments["path"][1:] else "src/main.py"
    match = {"path": path, "line": 1, "column": 1, "text": arguments["pattern"]}
    return {"matches": [match], "total": 1, "truncated": False}


def _content(arguments):
    window = {"start_line": arguments.get("start_line", 1), "end_line": 9, "total_lines": 9}
    return {"content": "text", "size": 4, "sha256": "0" * 64, "truncated": False, **window}


def _info(arguments):
    return {"type": "file" if "." in arguments["path"][1:] else "directory"}


ANSWERS = {
    "get_file_info": _info,
    "list_directory": _page,
    "find_files": _found,
    "search_files": _hit,
    "read_file": _content,
}


def made(call, n):
    """Return the step that a call comes to here."""
    given = {"name": call.name, "tool": call.tool, "arguments": call.arguments}
    try:
        output = ANSWERS.get(call.tool, lambda _: {})(call.arguments)
    except ToolError as refusal:
        problem = refusal.problem("execution_environment", "r")
        return step(n, **given, status="failed", error=problem)
    return step(n, **given, status="succeeded", output=output)


async def calls_of(goal):
    """Return every call that a goal makes here, in words."""
    steps = []
    while isinstance(
        decision := await RulesPlanner().next(History(goal, None, steps), Surroundings()), CallTools
    ):
        steps += [made(call, len(steps) + n) for n, call in enumerate(decision.calls, start=1)]
    assert decision.answer
    return [told(step.tool, step.arguments) for step in steps]


def told(tool, arguments):
    """Return a call without what goes without saying."""
    said = {key: value for key, value in arguments.items() if key not in UNSAID}
    if said.get("type") == "file":
        del said["type"]
    words = [f"{key}={value!r}" for key, value in said.items() if key != "edits"]
    words += [_edit(edit) for edit in said.get("edits", [])]
    return f"{tool}({', '.join(words)})"


def _edit(edit):
    if "text" in edit:
        return f"line {edit['insert_at_line']}: {edit['text']!r}"
    return f"{edit['old_text']!r} -> {edit['new_text']!r}"
