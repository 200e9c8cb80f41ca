"""Crashes to be tested: changes of every kind, and a process that dies in the middle of one."""

import json
import multiprocessing
from pathlib import Path

from common.tools import ToolCall
from tests.execution_environment.transactions import dying

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([dying.__name__])  # which takes a second; the change itself does not
DEADLINE = 60
"""Seconds for a call to be made or to die."""
PATCH = """\
--- a/file
+++ b/file
@@ -1 +1 @@
-old
+new
--- /dev/null
+++ b/a/new
@@ -0,0 +1 @@
+new
--- a/other
+++ /dev/null
@@ -1 +0,0 @@
-other
"""
CHANGES = {
    "create": ("write_file", {"path": "new", "content": "1"}),
    "create beneath new directories": ("write_file", {"path": "a/b/new", "content": "1"}),
    "replace": ("write_file", {"path": "file", "content": "2", "mode": "replace"}),
    "edit": ("edit_file", {"path": "file", "edits": [{"insert_at_line": 1, "text": "top"}]}),
    "append": ("append_file", {"path": "file", "content": "more\n"}),
    "make a directory": ("create_directory", {"path": "x/y"}),
    "move": ("move_path", {"source": "file", "destination": "moved"}),
    "move beneath new directories": ("move_path", {"source": "tree", "destination": "a/b/tree"}),
    "move over": ("move_path", {"source": "file", "destination": "other", "overwrite": True}),
    "copy": ("copy_path", {"source": "file", "destination": "copied"}),
    "copy a tree": ("copy_path", {"source": "tree", "destination": "a/copied"}),
    "delete": ("delete_path", {"path": "file"}),
    "patch": ("apply_patch", {"patch": PATCH}),
    "delete a tree": ("delete_path", {"path": "tree", "recursive": True}),
}


def die_at(data_dir: Path, call: ToolCall, step: str, number: int) -> int | None:
    """Make a call in a process that dies; return its exit code, None when it never ends."""
    process = _FORKS.Process(target=dying.make, args=(data_dir, call, step, number))
    process.start()
    process.join(DEADLINE)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    return code


def own_records(data_dir: Path, call_id: str) -> list[bool]:
    """Return for each record of a call's own effect whether it was written by who settled it."""
    lines = "".join(path.read_text() for path in (data_dir / "state/audit").iterdir()).splitlines()
    records = [json.loads(line) for line in lines if f'"id":"{call_id}"' in line]
    return [
        record.get("settled", False)
        for record in records
        if record["outcome"] == "executed" and not record.get("replayed")
    ]
