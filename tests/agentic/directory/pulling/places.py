"""A directory with its state and a workspace, for tests of pulls; and what each of them holds."""

import os
import stat
from contextlib import contextmanager

from agentic.directory.names import shown
from agentic.directory.pull import pull
from agentic.directory.pulling.finishing import finish
from agentic.directory.root import Root
from agentic.directory.state import Known, LocalFile, State
from tests.agentic.directory.fakes import SESSION, FakeClient, sha256


def a_file(content, is_executable=False):
    """The state of a file of that content."""
    return LocalFile(sha256(content), len(content), is_executable)


def write(directory, path, content, is_executable=False):
    """Write a file beneath a directory."""
    there = directory / path
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(content)
    there.chmod(0o755 if is_executable else 0o644)


def tree(directory):
    """Return all that lies beneath a directory: files as (content, is executable), others by kind."""
    found = {}
    for above, names, files in os.walk(directory):
        for name in [*names, *files]:
            path = os.path.join(above, name)
            status = os.lstat(path)
            shown_path = shown(tuple(os.fsencode(os.path.relpath(path, directory)).split(b"/")))
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    found[shown_path] = (file.read(), bool(status.st_mode & 0o100))
            elif not stat.S_ISDIR(status.st_mode):
                found[shown_path] = "link" if stat.S_ISLNK(status.st_mode) else "special"
            elif not os.listdir(path):
                found[shown_path] = "empty directory"
    return found


class Place:
    """DIR, the client's state of it, and a workspace that had the same files when last synced."""

    def __init__(self, root, base=None, archives=None):
        self._open(root)
        for made in (self.directory, self.kept, self.kept / "blobs"):
            made.mkdir(exist_ok=True)
        self.client = FakeClient(base)
        if archives is not None:
            self.client.archives = archives
        for path, content in (base or {}).items():
            write(self.directory, path, content)
        with self.state() as (_, state):
            for content in (base or {}).values():
                state.blobs.keep(sha256(content), content)
            known = {path: a_file(content) for path, content in (base or {}).items()}
            state.update(base=known, generation=self.client.archives.generation)

    @classmethod
    def found(cls, root):
        """Return the place that another command has left; its workspace is empty."""
        place = cls.__new__(cls)
        place._open(root)
        place.client = FakeClient()
        return place

    def _open(self, root):
        self.directory, self.kept = root / "dir", root / "state"

    @property
    def remote(self):
        """The workspace."""
        return self.client.archives

    @contextmanager
    def state(self):
        """The directory, open, and what is remembered of it, as a command of its own reads it."""
        with Root(self.directory) as root:
            yield root, State(self.kept, Known(server="http://x", directory=str(self.directory)))

    async def pull(self, choice=None, **more):
        """Pull, as one command."""
        with self.state() as (root, state):
            return await pull(self.client, SESSION, root, state, choice=choice, **more)

    async def finish(self):
        """Do what every command does first."""
        with self.state() as (root, state):
            return await finish(root, state)

    def base(self):
        """What both had when they were last synced."""
        with self.state() as (_, state):
            return state.known.base

    def workspace(self):
        """What the workspace has, as `tree` tells of a directory."""
        return dict(self.remote.files)
