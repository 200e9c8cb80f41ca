"""Crashes to be tested: changes of every kind, and a process that dies in the middle of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


def die_at(data_dir: Path, call, step: str, number: int) -> int:
    """Make a call in a process that dies; return its exit code."""
    script = Path(__file__).with_name("dying.py")
    root = Path(__file__).parents[3]
    command = [sys.executable, script, data_dir, call.model_dump_json(), step, str(number)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(root)}, check=False, timeout=60
    ).returncode


def own_records(data_dir: Path, call_id: str) -> list[bool]:
    """Return for each record of a call's own effect whether it was written by who settled it."""
    lines = "".join(path.read_text() for path in (data_dir / "state/audit").iterdir()).splitlines()
    records = [json.loads(line) for line in lines if f'"id":"{call_id}"' in line]
    return [
        record.get("settled", False)
        for record in records
        if record["outcome"] == "executed" and not record.get("replayed")
    ]
