"""Receipts add up: folded in order they are what a walk before and a walk after differ in."""

import asyncio
import hashlib
import itertools
import os
import shutil
import stat
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from common.errors import ToolError
from common.folding import fold
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from tests.execution_environment.conftest import tool_call

NAMES = st.sampled_from(["a", "b", "c", "new\nline"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.sampled_from(["", "1\n", "2\n"])
MODES = st.sampled_from([0o644, 0o755])
STARTS = st.dictionaries(PATHS, st.tuples(CONTENTS | st.none(), MODES), max_size=6)
"""Content, None for a directory, and mode; what does not fit below a file is left out."""
CALLS = st.one_of(
    st.builds(lambda **a: ("write_file", {**a, "mode": "upsert"}), path=PATHS, content=CONTENTS),
    st.builds(lambda **a: ("append_file", a), path=PATHS, content=CONTENTS),
    st.builds(lambda **a: ("create_directory", a), path=PATHS),
    st.builds(lambda **a: ("delete_path", {**a, "recursive": True}), path=PATHS),
    *(
        st.builds(
            lambda tool=tool, **a: (tool, a),
            source=PATHS,
            destination=PATHS,
            overwrite=st.booleans(),
        )
        for tool in ("move_path", "copy_path", "move_path")
    ),
)


@pytest.fixture(scope="module")
def run_plan():
    """Make calls in a workspace that starts as told; return walks before and after, and the fold."""
    data, numbers = Path(tempfile.mkdtemp(prefix="receipts-")), itertools.count()
    loop = asyncio.new_event_loop()
    allowed = ServiceLimits(10**6, 10**6, Usage(10**7, 10**4))
    parts = Assembly(data, allowed, ThreadPool(1, 8), timedelta(days=1))

    def run(start, calls):
        workspace = f"w{next(numbers)}"
        root = data / "workspaces" / "local" / workspace
        fill(root, start)
        before, receipts = walk(root), []
        context = {"allowed_paths_root": f"local/{workspace}"}
        for tool, arguments in calls:
            try:
                call = tool_call(tool, context, **arguments)
                receipts.append(loop.run_until_complete(parts.executor.run(call)).receipts)
            except ToolError:
                receipts.append([])
        return before, walk(root), fold(receipts)

    yield run
    loop.run_until_complete(parts.close())
    loop.close()
    shutil.rmtree(data)


def fill(root, start):
    """Make what is there before the run."""
    root.mkdir(parents=True)
    for path, (content, mode) in sorted(start.items()):
        place = root / path
        if any((root / parent).is_file() for parent in (path, *map(str, Path(path).parents))):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            place.mkdir(exist_ok=True)
        elif not place.exists():
            place.write_text(content)
        place.chmod(mode if place.is_file() else 0o755)


def walk(root):
    """Return the hash (None for a directory) and the mode of each path."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None,
            f"{stat.S_IMODE(path.stat().st_mode):04o}",
        )
        for path in root.rglob("*")
    }


def spoken_for(path, changes):
    """Return the receipts that speak for all beneath their path, this one too; the nearest first.

    Of a tree that is gone, of one that came as a whole, of what has taken a tree's place.
    """
    above = [changes.get(str(parent)) for parent in Path(path).parents]
    return [it for it in above if it and (not it.created or it.operation in ("move", "copy"))]


def check(path, before, after, changes):
    """Compare what the changes say of a path with what it was and is."""
    was, now, change = before.get(path), after.get(path), changes.get(path)
    trees = spoken_for(path, changes)
    if change is None:
        assert was == now or trees
        assert now is None or not trees or trees[0].operation in ("move", "copy")
        assert now is None or not any(tree.mode is None for tree in trees)
        return
    assert now == (None if change.mode is None else (change.sha256_after, change.mode))
    if change.created:
        assert was is None or trees
    else:
        assert was is not None
        assert change.sha256_before == was[0]
    is_made_again = change.sha256_before == change.sha256_after
    assert was != now or is_made_again or trees


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(start=STARTS, calls=st.lists(CALLS, min_size=2, max_size=6))
def test_receipts_folded_over_a_run_say_what_is_there(run_plan, start, calls):
    """Deleted and moved files were listed with their hashes, and counted as changed."""
    before, after, folded = run_plan(start, calls)
    changes = {change.path.replace("\\x0a", "\n"): change for change in folded}
    assert len(changes) == len(folded)
    assert changes.keys() <= before.keys() | after.keys()
    for path in before.keys() | after.keys():
        check(path, before, after, changes)


async def test_directories_made_on_the_way_have_receipts(call):
    """After the path that the call names, so that the first receipt is still that one's."""
    told = {
        "write_file": {"path": "a/b/f", "content": "x"},
        "create_directory": {"path": "c/d/e"},
        "copy_path": {"source": "a", "destination": "f/g"},
        "move_path": {"source": "a/b/f", "destination": "h/i/f"},
    }
    paths = [
        [receipt.path for receipt in (await call(tool, **arguments)).receipts]
        for tool, arguments in told.items()
    ]
    assert paths == [
        ["a/b/f", "a", "a/b"],
        ["c/d/e", "c", "c/d"],
        ["f/g", "f"],
        ["a/b/f", "h/i/f", "h", "h/i"],
    ]
    assert (await call("write_file", path="a/b/f", content="y")).receipts[0].path == "a/b/f"


async def test_modes_are_what_receipts_say_whatever_the_umask(call, demo):
    """A directory made under a strict umask had another mode; a copied one lost its own."""
    umask = os.umask(0o077)
    try:
        (demo / "closed" / "deep").mkdir(parents=True)
        (demo / "closed").chmod(0o2750)
        made = await call("write_file", path="a/b/f", content="x")
        copied = await call("copy_path", source="closed", destination="copy")
    finally:
        os.umask(umask)
    for receipt in (*made.receipts, *copied.receipts):
        assert f"{stat.S_IMODE((demo / receipt.path).stat().st_mode):04o}" == receipt.mode
    assert (copied.receipts[0].mode, made.receipts[1].mode) == ("0750", "0755")
