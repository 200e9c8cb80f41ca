"""A model of what a push does beside the real one: any workspace, any client, whatever each has seen."""

import asyncio
import itertools
import shutil
import tempfile
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings, strategies as st

from common.errors import AgenticError
from execution_environment.bootstrap import Assembly
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from tests.execution_environment.archives.building import archive, gone, put
from tests.execution_environment.conftest import (
    pieces,
    sha,
    staged_in,
    taken_up,
    tool_call,
    usage_of,
)

NAMES = ("a", "b")
PATHS = ["/".join(names) for depth in (1, 2, 3) for names in itertools.product(NAMES, repeat=depth)]
FILES = st.tuples(st.sampled_from([b"", b"1", b"22"]), st.booleans())


def above(path):
    """Yield the paths that lead to a path."""
    names = path.split("/")
    yield from ("/".join(names[:depth]) for depth in range(1, len(names)))


def possible(files):
    """Leave out what would lie in a file."""
    return {path: file for path, file in files.items() if not files.keys() & set(above(path))}


TREES = st.dictionaries(st.sampled_from(PATHS), FILES, min_size=1, max_size=5).map(possible)


def entries_of(base, local):
    """Return what a push sends: what differs from what was seen last."""
    for path, (data, is_executable) in local.items():
        if base.get(path) != (data, is_executable):
            was = base[path][0] if path in base else None
            yield path, put(path, data, was=was, mode="0755" if is_executable else "0644")
    for path, (data, _) in base.items():
        if path not in local:
            yield path, gone(path, data)


class Model:
    """What should come of a push."""

    def __init__(self, now, base, local, *, force):
        self.now, self.base, self.local, self.force = now, base, local, force
        self.named = dict(entries_of(base, local))
        self.goes = {
            path for path in self.named if path not in local and path in now and self.is_known(path)
        }

    def is_known(self, path):
        """Tell whether a path holds what was seen of it last."""
        found, seen = self.now.get(path), self.base.get(path)
        return self.force or (found and found[0]) == (seen and seen[0])

    def fits(self, path):
        """Tell whether one entry can be carried out, or has been."""
        if path not in self.local:
            return path not in self.now or path in self.goes
        if self.now.get(path) == self.local[path]:
            return True
        below = {other for other in self.now if path in above(other)}
        barred = (self.now.keys() & set(above(path))) | below
        return barred <= self.goes and self.is_known(path)

    def result(self):
        """Return the files that are there afterwards; None where the push is refused."""
        if not all(map(self.fits, self.named)):
            return None
        kept = {path: file for path, file in self.now.items() if path not in self.goes}
        return kept | {path: self.local[path] for path in self.named if path in self.local}


def found_in(workspace):
    """Return the files of a workspace."""
    return {
        path.relative_to(workspace).as_posix(): (
            path.read_bytes(), bool(path.stat().st_mode & 0o100)
        )
        for path in workspace.rglob("*")
        if path.is_file()
    }  # fmt: skip


def write(workspace, files):
    """Make files."""
    for path, (data, is_executable) in files.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_bytes(data)
        (workspace / path).chmod(0o755 if is_executable else 0o644)


@contextmanager
def assembled():
    """Yield the service's parts, a loop to run them in, and their directory."""
    data = Path(tempfile.mkdtemp(prefix="archive-model-"))
    loop = asyncio.new_event_loop()
    allowed = ServiceLimits(10**6, 10**6, Usage(10**7, 10**4))
    parts = Assembly(data, allowed, ThreadPool(2, 8), timedelta(days=1))
    try:
        yield parts, loop, data
    finally:
        loop.run_until_complete(parts.close())
        loop.close()
        left = staged_in(data)
        shutil.rmtree(data)
        assert left == []


def test_a_push_does_what_it_says_or_nothing_whatever_lies_there():
    """Files, directories that become files and the other way round, changed by both sides or one."""
    numbers = itertools.count()
    with assembled() as (parts, loop, data):

        def take(name, body, *, force):
            context = tool_call("x", {"allowed_paths_root": name}).context
            request = FileRequest(f"put-{next(numbers)}", 0, ".", context)
            return loop.run_until_complete(
                parts.archives_in.take(request, pieces(body), force=force)
            )

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(TREES, st.just({}) | TREES, TREES, st.booleans(), st.booleans(), st.booleans())
        def holds(now, base, local, is_base_now, is_local_now, force):
            base = now if is_base_now else base
            local = {**local, **now} if is_local_now else local
            local = possible(local)
            name = f"local/w{next(numbers)}"
            workspace = data / "workspaces" / name
            workspace.mkdir(parents=True)
            write(workspace, now)
            model = Model(now, base, local, force=force)
            named = {line.get("sha256") for line in model.named.values()}
            contents = {content for content, _ in local.values()}
            needed = [content for content in contents if sha(content) in named]
            body = archive(*model.named.values(), bodies=needed)
            wanted = model.result()
            try:
                result = take(name, body, force=force)
            except AgenticError as error:
                assert (wanted, error.code) == (None, "changed_elsewhere")
                assert found_in(workspace) == now
                return
            assert found_in(workspace) == wanted
            done = result.created + result.replaced + result.deleted
            assert done + result.unchanged == len(model.named)
            if done:
                assert usage_of(data, name) == taken_up(data, name)
            again = take(name, archive(*model.named.values()), force=force)
            assert again.unchanged == len(model.named)

        holds()
