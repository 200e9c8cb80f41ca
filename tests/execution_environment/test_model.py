"""A model of a file tree beside the real one: after any sequence of calls both are the same.

Names come from a nasty alphabet. Each call must succeed where the model says so, be refused where
it says so, and never be a fault.
"""

import asyncio
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from common.errors import SystemFault, ToolError
from common.files.paths import show
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from tests.execution_environment.conftest import staged_in, tool_call

NAMES = st.sampled_from(
    [b"a", b"b", b"dir", b"\xff\xfe", b"new\nline", b"\x1b[31m", b"back\\slash", b"\\x41",
     "é".encode(), "e\u0301".encode(), b" ", b"~", b"*", b"-rf", b"x" * 255, b"...", b"\xe2\x80\xae"]
)  # fmt: skip
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
CONTENTS = st.sampled_from([b"", b"1\n", b"two\nlines", "ü\r\n".encode()])
DIRECTORY = None


def path_of(parts: tuple[bytes, ...]) -> str:
    """Return a path as a client writes it."""
    return show(b"/".join(parts))


class Tree(RuleBasedStateMachine):
    """`model` maps the parts of each path to its content, or to DIRECTORY."""

    def __init__(self):
        super().__init__()
        self.data = Path(tempfile.mkdtemp(prefix="model-"))
        self.model = {}
        self.loop = asyncio.new_event_loop()
        allowed = ServiceLimits(10**6, 10**6, Usage(10**7, 10**4))
        self.parts = Assembly(self.data, allowed, ThreadPool(1, 8), timedelta(days=1))

    def teardown(self):
        """Close everything; nothing may be left in staging."""
        self.loop.run_until_complete(self.parts.close())
        self.loop.close()
        left = staged_in(self.data)
        shutil.rmtree(self.data)
        assert left == []

    def call(self, tool, *, may: bool, **arguments):
        """Make a call that the model allows, or not; return whether it succeeded."""
        try:
            self.loop.run_until_complete(self.parts.executor.run(tool_call(tool, **arguments)))
        except SystemFault as fault:
            pytest.fail(f"{tool} {arguments}: {fault}")
        except ToolError as refusal:
            assert not may, f"{tool} {arguments}: {refusal}"
            return False
        assert may, f"{tool} {arguments} should have been refused"
        return True

    def is_file(self, parts):
        """Tell whether the model has a file there."""
        return self.model.get(parts, DIRECTORY) is not DIRECTORY

    def can_hold(self, parts):
        """Tell whether all that leads to a path is a directory, or missing."""
        return not any(self.is_file(parts[:depth]) for depth in range(1, len(parts)))

    def make_parents(self, parts):
        """Put the directories that lead to a path into the model."""
        for depth in range(1, len(parts)):
            self.model.setdefault(parts[:depth], DIRECTORY)

    def beneath(self, parts):
        """Return the paths beneath a directory, itself included."""
        return [path for path in self.model if path[: len(parts)] == parts]

    @rule(parts=PATHS, content=CONTENTS, mode=st.sampled_from(["create", "replace", "upsert"]))
    def write(self, parts, content, mode):
        """write_file in each of its modes."""
        is_there = parts in self.model
        may = self.can_hold(parts) and not (is_there and not self.is_file(parts))
        may = may and (mode == "upsert" or is_there == (mode == "replace"))
        if self.call(
            "write_file", may=may, path=path_of(parts), content=content.decode(), mode=mode
        ):
            self.make_parents(parts)
            self.model[parts] = content

    @rule(parts=PATHS, content=CONTENTS)
    def append(self, parts, content):
        """append_file, which creates."""
        may = self.can_hold(parts) and (parts not in self.model or self.is_file(parts))
        if self.call("append_file", may=may, path=path_of(parts), content=content.decode()):
            self.make_parents(parts)
            self.model[parts] = (self.model.get(parts) or b"") + content

    @rule(parts=PATHS)
    def make_directory(self, parts):
        """create_directory with those that lead to it."""
        may = self.can_hold(parts) and not self.is_file(parts)
        if self.call("create_directory", may=may, path=path_of(parts)):
            self.make_parents(parts)
            self.model.setdefault(parts, DIRECTORY)

    @rule(parts=PATHS, recursive=st.booleans())
    def delete(self, parts, recursive):
        """delete_path, of trees when asked to."""
        gone = self.beneath(parts)
        may = parts in self.model and (recursive or len(gone) == 1)
        if self.call("delete_path", may=may, path=path_of(parts), recursive=recursive):
            for path in gone:
                del self.model[path]

    @rule(old=PATHS, new=PATHS, overwrite=st.booleans())
    def move(self, old, new, overwrite):
        """move_path of files and trees; a move to itself is nothing."""
        if old == new:
            self.call("move_path", may=old in self.model, source=path_of(old),
                      destination=path_of(new), overwrite=overwrite)  # fmt: skip
            return
        if self._transfer("move_path", old, new, overwrite):
            for path in self.beneath(old):
                del self.model[path]

    @rule(old=PATHS, new=PATHS, overwrite=st.booleans())
    def copy(self, old, new, overwrite):
        """copy_path of files and trees."""
        self._transfer("copy_path", old, new, overwrite)

    def _transfer(self, tool, old, new, overwrite):
        is_inside = new[: len(old)] == old
        replaces = overwrite and self.is_file(old) and self.is_file(new)
        may = old in self.model and not is_inside and self.can_hold(new)
        may = may and (new not in self.model or replaces)
        arguments = {"source": path_of(old), "destination": path_of(new), "overwrite": overwrite}
        if not self.call(tool, may=may, **arguments):
            return False
        moved = {new + path[len(old) :]: self.model[path] for path in self.beneath(old)}
        self.make_parents(new)
        self.model.update(moved)
        return True

    @invariant()
    def both_are_the_same(self):
        """The disk holds what the model says, names and contents."""
        assert self.on_disk() == self.model

    def on_disk(self):
        """Return the workspace as the model would have it."""
        root = bytes(self.data / "workspaces/local/demo")
        found = {}
        for path in Path(root.decode()).rglob("*"):
            parts = tuple(bytes(path)[len(root) + 1 :].split(b"/"))
            found[parts] = path.read_bytes() if path.is_file() else DIRECTORY
        return found


TestTree = pytest.mark.timeout(300)(Tree.TestCase)
TestTree.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
