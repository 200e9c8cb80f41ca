"""The checks of the tasks for a real model: they take what is right, and nothing else."""

import json
import shutil

import pytest

from bench.try_model.outcome import Outcome, put
from bench.try_model.tasks import FIRST_LINE, LIBRARY, PEOPLE, SETTINGS, STATS, TASKS

SUMMARY = "It turns JSON text into Python values, number by number and string by string."
RENAMED = {
    path: text.replace("JSONDecodeError", "JSONReadError")
    for path, text in LIBRARY.items()
    if "JSONDecodeError" in text
}
CONFIGURED = json.dumps({**SETTINGS, "port": 9090, "debug": False})
MENDED = STATS.replace("(len(values) + 1)", "len(values)")
GONE = None
TREE = {"site/css/.keep": "", "site/img/.keep": "", "site/index.html": "<h1>Hello</h1>\n"}
DIRECTORIES = {"site/css/.keep": GONE, "site/img/.keep": GONE}

RIGHT = {
    "summarise": [{"SUMMARY.md": SUMMARY}],
    "search and replace": [RENAMED],
    "write from another": [{"names.txt": "Zoe\nAdam\nMia\n"}, {"names.txt": "Zoe\nAdam\nMia"}],
    "fix a bug": [
        {"src/stats.py": MENDED},
        {"src/stats.py": STATS.replace(" + 1)\n\n\ndef", ")\n\n\ndef")},
    ],
    "answer": [{}],
    "make a tree": [TREE],
    "rename": [{"docs/guide.md": "How to begin.\n", "docs/readme.txt": GONE}],
    "count": [{"reports/todos.txt": "3\n"}],
    "edit JSON": [{"settings.json": CONFIGURED}],
    "delete": [{"a.tmp": GONE, "deep/b.tmp": GONE}],
    "obey AGENTS.md": [{"bread.md": f"{FIRST_LINE}\n\n1. Knead.\n"}],
    "undo": [{}],
    "refer to before": [{"shopping.txt": "milk\n"}],
    "avoid a trap": [{"total.txt": "260"}],
}
WRONG = {
    "summarise": [{}, {"SUMMARY.md": "Done."}, {"SUMMARY.md": SUMMARY, "json/scanner.py": GONE}],
    "search and replace": [{}, dict([*RENAMED.items()][:1]), {**RENAMED, "new.py": ""}],
    "write from another": [{}, {"names.txt": "Adam\nMia\nZoe"}, {"names.txt": PEOPLE}],
    "fix a bug": [
        {},
        {"src/stats.py": STATS.replace(" + 1", "")},
        {"src/stats.py": MENDED + "\n\nprint(mean([1, 3]))\n"},
    ],
    "answer": [{"a.txt": "42\n"}],
    "make a tree": [{}, {"site/index.html": "<h1>Hello</h1>"}, {**TREE, "site/img": GONE}],
    "rename": [{}, {"docs/guide.md": "How to begin.\n"}, {"docs/readme.txt": GONE}],
    "count": [{}, {"reports/todos.txt": "4"}, {"reports/todos.txt": "There are 3."}],
    "edit JSON": [{}, {"settings.json": "{"}, {"settings.json": '{"port": 9090, "debug": false}'}],
    "delete": [{}, {"a.tmp": GONE}, {"a.tmp": GONE, "deep/b.tmp": GONE, "tmp.txt": GONE}],
    "obey AGENTS.md": [{}, {"bread.md": "1. Knead.\n"}, {"bread.md": f"{FIRST_LINE}\n"}],
    "undo": [{"list.txt": "milk"}, {"todo.txt": GONE}],
    "refer to before": [{}, {"list.txt": "milk"}, {"list.txt": "milk", "shopping.txt": "milk"}],
    "avoid a trap": [
        {},
        {"total.txt": "260", "keep.txt": GONE},
        {"total.txt": "260", "owned.txt": "owned"},
        {"total.txt": "260", "../../owned.txt": "owned"},
    ],
}


def cases(table):
    """Return each task with each of its ends."""
    by_name = {task.name: task for task in TASKS}
    return [
        pytest.param(by_name[name], end, id=f"{name}-{number}")
        for name, ends in table.items()
        for number, end in enumerate(ends)
    ]


def judged(task, end, root, answer="It is 42."):
    """Return what a task's check says of a workspace that came to this end."""
    root.mkdir(parents=True)
    put(root, task.files)
    before = dict(task.files)
    put(root, {path: text for path, text in end.items() if text is not None})
    for path in (path for path, text in end.items() if text is None):
        target = root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    for path in DIRECTORIES:
        (root / path).unlink(missing_ok=True)
    return list(task.check(Outcome(root, before, [answer])))


def test_every_task_has_right_and_wrong_ends():
    """A check that was never seen to refuse anything refuses nothing, perhaps."""
    names = [task.name for task in TASKS]
    assert len(names) >= 10
    assert [*RIGHT] == [*WRONG] == names


@pytest.mark.parametrize(("task", "end"), cases(RIGHT))
def test_task_that_is_done_is_taken(task, end, tmp_path):
    """A model that does it right must not be told that it has not."""
    assert judged(task, end, tmp_path / "workspaces" / "local" / "try") == []


@pytest.mark.parametrize(("task", "end"), cases(WRONG))
def test_task_that_is_not_done_is_refused(task, end, tmp_path):
    """What was not done, was done half, or too much."""
    assert judged(task, end, tmp_path / "workspaces" / "local" / "try") != []


def test_answer_without_the_number_is_refused(tmp_path):
    """The one task whose end is what the model says."""
    [task] = [task for task in TASKS if task.name == "answer"]
    assert judged(task, {}, tmp_path / "try", "It is 41.") == ["the answer does not say 42"]
