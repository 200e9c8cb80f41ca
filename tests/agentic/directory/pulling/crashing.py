"""Kills pulls, each at another moment: run as a program, it forks a pull for each directory named."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.agentic.directory.pulling.places import Place, write

BASE = {
    "changed": b"old\n",
    "gone/deep/file": b"old\n",
    "script": b"#!\n",
    "f": b"a file\n",
    "d/x": b"in a directory\n",
    "both": b"1\n2\n3\n4\n5\n6\n7\n",
}
MINE = BASE["both"].replace(b"1", b"mine")


def prepared(directory):
    """Return a place in which a pull has every kind of change to make."""
    directory.mkdir(exist_ok=True)
    place = Place(directory, BASE)
    write(place.directory, "both", MINE)
    changed(place.remote)
    return place


def reopened(directory):
    """Return what a later command finds there: the same workspace, and the files as they are now."""
    place = Place.found(directory)
    place.remote.files = {path: (content, False) for path, content in BASE.items()}
    changed(place.remote)
    return place


def changed(remote):
    """Change the workspace."""
    for path in ("gone/deep/file", "f", "d/x"):
        del remote.files[path]
    remote.write("changed", b"new\n")
    remote.write("new/deep/file", b"new\n", is_executable=True)
    remote.write("script", BASE["script"], is_executable=True)
    remote.write("f/y", b"below\n")
    remote.write("d", b"a file now\n")
    remote.write("both", BASE["both"].replace(b"7", b"theirs"))


class Fuse:
    """An observer that kills its process at the moment of that number; it counts all of them."""

    def __init__(self, number=None):
        self.number, self.moments = number, []

    def __call__(self, moment, path):
        self.moments.append((moment, path))
        if len(self.moments) - 1 == self.number:
            os.kill(os.getpid(), signal.SIGKILL)


def main(directories):
    """Kill the pull in each directory at the moment of its place in the list."""
    for number, directory in enumerate(directories):
        child = os.fork()
        if child == 0:
            asyncio.run(reopened(Path(directory)).pull("merge", observe=Fuse(number)))
            os._exit(0)
        print(os.waitpid(child, 0)[1])  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
