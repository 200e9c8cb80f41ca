"""The changes that are cut short, and how to see on the disk that each happened exactly once.

Each has a workspace of its own with `file`, `other` and `tree/`. `meddle` is another call on the
same path that comes between the crash and the retry; what the disk must hold in the end depends on
whether the change had happened before it (`replayed`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZE = 3_000_000
OLD = "old\n" + "o" * SIZE + "\n"
NEW = "new\n" + "n" * SIZE + "\n"
LINE = "once\n"
MEDDLED = "meddled\n"


@dataclass(frozen=True)
class Change:
    """A tool with its arguments; `after` and `meddled` say what paths must hold then."""

    tool: str
    arguments: dict[str, Any]
    after: dict[str, str | None]
    meddle: tuple[str, dict[str, Any]] | None = None
    replayed: dict[str, str | None] | None = None
    anew: dict[str, str | None] | None = None


def _append(path: str) -> tuple[str, dict[str, Any]]:
    return "append_file", {"path": path, "content": MEDDLED}


def _put(path: str) -> tuple[str, dict[str, Any]]:
    return "write_file", {"path": path, "content": MEDDLED, "mode": "upsert"}


PATCH = """\
--- a/other
+++ b/other
@@ -1 +1 @@
-other
+patched
--- /dev/null
+++ b/a/made
@@ -0,0 +1 @@
+made
--- a/tree/0
+++ /dev/null
@@ -1 +0,0 @@
-0
\\ No newline at end of file
"""
CHANGES = {
    "write": Change(
        "write_file", {"path": "file", "content": NEW, "mode": "replace"},
        {"file": NEW},
        _append("file"), {"file": NEW + MEDDLED}, {"file": NEW},
    ),
    "create": Change(
        "write_file", {"path": "a/b/file", "content": NEW, "mode": "upsert"},
        {"a/b/file": NEW},
        _append("a/b/file"), {"a/b/file": NEW + MEDDLED}, {"a/b/file": NEW},
    ),
    "edit": Change(
        "edit_file", {"path": "file", "edits": [{"insert_at_line": 1, "text": LINE}]},
        {"file": LINE + OLD},
        _append("file"), {"file": LINE + OLD + MEDDLED}, {"file": LINE + OLD + MEDDLED},
    ),
    "append": Change(
        "append_file", {"path": "file", "content": LINE},
        {"file": OLD + LINE},
        _append("file"), {"file": OLD + LINE + MEDDLED}, {"file": OLD + MEDDLED + LINE},
    ),
    "move": Change(
        "move_path", {"source": "file", "destination": "a/moved"},
        {"file": None, "a/moved": OLD},
        _put("file"), {"file": MEDDLED, "a/moved": OLD}, {"file": None, "a/moved": MEDDLED},
    ),
    "move a tree": Change(
        "move_path", {"source": "tree", "destination": "a/tree"},
        {"tree/0": None, "a/tree/0": "0", "a/tree/19": "19"},
        _put("tree/0"), {"tree/0": MEDDLED, "a/tree/0": "0"}, {"tree/0": None, "a/tree/0": MEDDLED},
    ),
    "copy a tree": Change(
        "copy_path", {"source": "tree", "destination": "a/tree"},
        {"tree/0": "0", "a/tree/0": "0", "a/tree/19": "19"},
        _append("tree/0"), {"tree/0": "0" + MEDDLED, "a/tree/0": "0"},
        {"tree/0": "0" + MEDDLED, "a/tree/0": "0" + MEDDLED},
    ),
    "patch": Change(
        "apply_patch", {"patch": PATCH},
        {"other": "patched\n", "a/made": "made\n", "tree/0": None},
        _append("other"), {"other": "patched\n" + MEDDLED, "a/made": "made\n"},
        {"other": "patched\n" + MEDDLED, "a/made": "made\n"},
    ),
    "upload": Change(
        "upload_file", {"path": "a/big", "content": NEW * 4},
        {"a/big": NEW * 4},
        _append("a/big"), {"a/big": NEW * 4 + MEDDLED}, {"a/big": NEW * 4},
    ),
    "delete": Change(
        "delete_path", {"path": "file"},
        {"file": None},
        _put("file"), {"file": MEDDLED}, {"file": None},
    ),
    "delete a tree": Change(
        "delete_path", {"path": "tree", "recursive": True},
        {"tree/0": None, "tree": None},
        _put("tree/0"), {"tree/0": MEDDLED, "tree/1": None}, {"tree/0": None, "tree": None},
    ),
}  # fmt: skip


def fill(workspace: Path) -> None:
    """Make what the changes start from."""
    (workspace / "tree").mkdir(parents=True)
    (workspace / "file").write_text(OLD)
    (workspace / "other").write_text("other\n")
    for number in range(20):
        (workspace / "tree" / str(number)).write_text(str(number))


def require(workspace: Path, wanted: dict[str, str | None]) -> None:
    """Fail unless the paths hold what they should; None is nothing."""
    for path, content in wanted.items():
        found = (workspace / path).read_text() if (workspace / path).is_file() else None
        is_there = (workspace / path).exists()
        assert (found, is_there) == (content, content is not None), f"{path}: {_short(found)}"


def _short(content: str | None) -> str:
    return "nothing" if content is None else f"{content[:40]!r}…{content[-40:]!r}"
