"""What sentences do to real files: the planner's calls, made by the real tools."""

from datetime import timedelta

import pytest

from common.context import ExecutionContext, RequestSource
from common.errors import AgenticError
from common.tools import ToolCall
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from orchestrator.planners.decisions import CallTools
from orchestrator.planners.protocol import History, Surroundings
from orchestrator.planners.rules.planner import RulesPlanner
from tests.orchestrator.builders import step

BEFORE = {
    "a.txt": "old foo\nold\n",
    "b.txt": "b",
    "my notes.txt": "mine\n",
    "src/main.py": "import re\n",
    "src/old.tmp": "1",
    "old.tmp": "2",
    "docs/guide.md": "# Guide\n",
}
CONTEXT = ExecutionContext(
    request_id="r",
    user_id="local",
    request_source=RequestSource(kind="internal"),
    allowed_paths_root="local/demo",
    timeout=30,
)


@pytest.fixture
def demo(tmp_path):
    """A workspace with the files of BEFORE."""
    root = tmp_path / "workspaces" / "local" / "demo"
    for name, content in BEFORE.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
async def run(demo, tmp_path):
    """Run a goal to its end; return its answer, or the code that a step failed with."""
    allowed = ServiceLimits(2**20, 2**20, Usage(2**24, 1000))
    parts = Assembly(tmp_path, allowed, ThreadPool(1, 8), timedelta(days=1))
    yield lambda goal: answer_of(goal, parts.executor)
    await parts.close()


async def answer_of(goal, executor):
    """Do what the runner does, without a store."""
    steps = []
    try:
        while isinstance(
            decision := await RulesPlanner().next(History(goal, None, steps), Surroundings()),
            CallTools,
        ):
            for call in decision.calls:
                steps.append(await made(call, len(steps) + 1, executor))
                if steps[-1].error is not None and call.on_error == "stop":
                    return steps[-1].error.code
    except AgenticError as refusal:
        return refusal.code
    return decision.answer


async def made(call, n, executor):
    """Make a call and return its step."""
    given = {"name": call.name, "tool": call.tool, "arguments": call.arguments}
    wanted = ToolCall(
        id=f"call:{n}", fence=1, tool=call.tool, arguments=call.arguments, context=CONTEXT
    )
    try:
        result = await executor.run(wanted)
    except AgenticError as refusal:
        problem = refusal.problem("execution_environment", "r")
        return step(n, **given, status="failed", error=problem)
    done = {"output": result.output, "receipts": result.receipts}
    return step(n, **given, status="succeeded", **done)


def on_disk(demo):
    """Return what the files hold now, and None for each empty directory."""
    paths = [path for path in demo.rglob("*") if path.is_file() or not any(path.iterdir())]
    return {str(p.relative_to(demo)): p.read_text() if p.is_file() else None for p in paths}


CHANGES = [
    ("read a.txt then save it to c.txt", {"c.txt": BEFORE["a.txt"]}, []),
    ("replace foo with nothing in a.txt", {"a.txt": "old \nold\n"}, []),
    ("replace 'old' with 'new' in *.txt", {"a.txt": "new foo\nnew\n"}, []),
    ("Write 'one' to y.txt. Then append 'two' to y.txt.", {"y.txt": "one\ntwo\n"}, []),
    ("append 'c' to b.txt", {"b.txt": "b\nc\n"}, []),
    ("append “c” to new.txt", {"new.txt": "c\n"}, []),
    ("create notes.txt", {"notes.txt": ""}, []),
    ("create a file called h.txt that says hello world", {"h.txt": "hello world"}, []),
    ("write 'l1\\nl2\\t“x” \\\\ \\d it's' to docs/w.txt", {"docs/w.txt": "l1\nl2\t“x” \\ \\d it's"}, []),
    ("write 'two\nlines' to w.txt", {"w.txt": "two\nlines"}, []),
    ("write `x` to 'a b.txt', then rename 'a b.txt' to été.txt", {"été.txt": "x"}, []),
    ("create folders one and two/three", {"one": None, "two/three": None}, []),
    ("create a folder called out. Create x.txt in it that says hi.", {"out/x.txt": "hi"}, []),
    ("copy a.txt to c.txt and delete a.txt", {"c.txt": BEFORE["a.txt"]}, ["a.txt"]),
    ("copy a.txt over b.txt", {"b.txt": BEFORE["a.txt"]}, []),
    ("copy the folder docs to more", {"more/guide.md": "# Guide\n"}, []),
    ("copy docs to src", {"src/docs/guide.md": "# Guide\n"}, []),
    ("rename a.txt to c.txt", {"c.txt": BEFORE["a.txt"]}, ["a.txt"]),
    ("move a.txt into docs/", {"docs/a.txt": BEFORE["a.txt"]}, ["a.txt"]),
    ("move a.txt to docs", {"docs/a.txt": BEFORE["a.txt"]}, ["a.txt"]),
    ("move a.txt and b.txt into docs", {"docs/a.txt": BEFORE["a.txt"], "docs/b.txt": "b"}, ["a.txt", "b.txt"]),
    ("move a.txt into new/ and append 'x' to it", {"new/a.txt": "old foo\nold\nx\n"}, ["a.txt"]),
    ("delete the file a.txt and b.txt", {}, ["a.txt", "b.txt"]),
    ("copy the file a.txt and b.txt to docs/", {"docs/a.txt": BEFORE["a.txt"], "docs/b.txt": "b"}, []),
    ("delete every *.tmp", {}, ["old.tmp", "src/old.tmp"]),
    ("find *.tmp in src then delete them", {}, ["src/old.tmp"]),
    ("please delete 'my notes.txt'!", {}, ["my notes.txt"]),
    ("delete the folder docs and everything in it", {}, ["docs/guide.md"]),
    ("remove the word foo from a.txt", {"a.txt": "old \nold\n"}, []),
    ("1. write '1' to one.txt\n2. write '2' to two.txt", {"one.txt": "1", "two.txt": "2"}, []),
]  # fmt: skip


@pytest.mark.parametrize(("goal", "written", "gone"), CHANGES)
async def test_goal_changes_just_what_it_says(run, demo, goal, written, gone):
    """Success is reported of nothing else: all files are compared with what they should hold."""
    answer = await run(goal)
    assert " " in answer, answer  # words, not the code of an error
    wanted = {name: text for name, text in (BEFORE | written).items() if name not in gone}
    assert on_disk(demo) == wanted


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        ("save a.txt to b.txt", "goal_not_understood"),
        ("add 'x' to every file in docs", "goal_not_understood"),
        ("delete *.tmp", "goal_not_understood"),
        ("delete every *.log", "path_not_found"),
        ("delete the docs folder", "directory_not_empty"),
        ("delete .", "not_a_file"),
        ("delete ../demo", "path_not_allowed"),
        ("copy a.txt to b.txt", "already_exists"),
        ("move a.txt into b.txt", "not_a_directory"),
        ("move a.txt into nowhere", "not_a_directory"),
        ("rename a.txt to b.txt", "already_exists"),
        ("make a copy of docs called src", "already_exists"),
        ("copy a.txt as src", "already_exists"),
        ("create a.txt", "already_exists"),
        ("overwrite c.txt with 'x'", "path_not_found"),
        ("write 'x' to docs", "not_a_file"),
        ("find main.py in docs", "path_not_found"),
        ("remove foo from a.txt", "goal_not_understood"),
        ("remove the word fo from a.txt", "text_not_unique"),
        ("replace the word 'ol' in a.txt with 'x'", "text_not_unique"),
        ("remove the words 'ld fo' from a.txt", "text_not_unique"),
        ("replace words 'old fo' with 'x' in a.txt", "text_not_unique"),
        ("copy a.txt to archive", "path_not_found"),
        ("find files named * then delete them", "goal_not_understood"),
        ("rm -rf .", "not_a_file"),
        ("delete the file docs", "not_a_file"),
        ("delete the file a.txt and the file docs", "not_a_file"),
        ("delete the folder a.txt", "not_a_directory"),
        ("delete a.txt/", "not_a_directory"),
        ("delete the folder b.txt and everything in it", "not_a_directory"),
        ("rename the file docs to papers", "not_a_file"),
        ("rename docs to the file d.txt", "not_a_file"),
        ("move the folder a.txt to build/", "not_a_directory"),
        ("move the folder a.txt over b.txt", "not_a_directory"),
        ("copy the file src to build", "not_a_file"),
    ],
)
async def test_goal_that_cannot_be_done_changes_nothing(run, demo, goal, code):
    """It fails with the tool's reason, or is refused; every file is as it was."""
    assert await run(goal) == code
    assert on_disk(demo) == BEFORE


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("cat\n", "dog\n"),
        ("a cat, the 'cat'. cat", "a dog, the 'dog'. dog"),
        ("(cat) - “cat”\ncat!\n", "(dog) - “dog”\ndog!\n"),
        ("x" * 496 + " cat", None),
        ("x" * 495 + " cat ", "x" * 495 + " dog "),
        ("cat\nconcat\n", None),
        ("cats", None),
        ("cat's", None),
        ("cat-like", None),
        ("pole-cat", None),
        ("cat_1", None),
        ("écat", None),
        ("cat\u0301", None),
        ("cat\u093f", None),
        ("\u0915\u093fcat", None),
        ("cat" * 2, None),
    ],
)
async def test_goal_to_replace_a_word_spares_longer_words(run, demo, text, changed):
    """`the word cat` made "condogenate" of "concatenate"; where it cannot be told, nothing is done."""
    (demo / "a.txt").write_text(text)
    answer = await run("replace the word cat with the word dog in a.txt")
    assert (answer == "text_not_unique") == (changed is None)
    assert (demo / "a.txt").read_text() == (text if changed is None else changed)


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        ("find python files", "Found 1 files that match '*.py'\n  src/main.py"),
        ("ls *.md", "Found 1 files that match '*.md'\n  docs/guide.md"),
        ("list the folders", "Listed the workspace: 2 entries\n  docs/\n  src/"),
        ("what's in docs?", "Listed 'docs': 1 entries\n  docs/guide.md"),
        ("what's in b.txt?", "Read 'b.txt':\nb"),
        ("show line 2 of a.txt", "Read 'a.txt', lines 2 to 2:\nold\n"),
        ("create directory docs", "'docs' was there already"),
        ("read every *.tmp", "Read 'old.tmp':\n2\nRead 'src/old.tmp':\n1"),
    ],
)
async def test_goal_is_answered_with_what_is_there(run, demo, goal, told):
    """What people read instead of the steps."""
    assert await run(goal) == told
    assert on_disk(demo) == BEFORE


async def test_goal_to_read_a_large_file_shows_its_head(run, demo):
    """And says that there is more."""
    (demo / "large.txt").write_text("x" * 80 + "\n" + "y" * 300_000)
    answer = await run("read large.txt")
    assert answer.startswith("Read 'large.txt' (the beginning of 300081 bytes):\nxxx")
    assert len(answer) < 5000
