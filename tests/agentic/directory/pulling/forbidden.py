"""Pulls, as a user whom modes bind, into a directory in which one subdirectory is read-only."""

import asyncio
import ctypes
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from common.errors import AgenticError
from tests.agentic.directory.pulling.crashing import MINE, prepared
from tests.agentic.directory.pulling.places import tree

_VERSION_3 = 0x20080522


def drop_capabilities():
    """Let modes bind root, too: capset(2) with nothing in any set."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")


@contextmanager
def modes_binding():
    """Let modes bind root, too, for a while: in this thread, and in those that it starts meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    libc.capget(header, sets)
    effective = sets[0], sets[3]
    try:
        sets[0] = sets[3] = 0
        libc.capset(header, sets)
        yield
    finally:
        sets[0], sets[3] = effective
        libc.capset(header, sets)


async def main(made):
    """Print the error, whether the journal is there, and whether the next pull is complete."""
    if os.geteuid() == 0:
        drop_capabilities()
    place = prepared(Path(made) / "place")
    (place.directory / "gone/deep").chmod(0o555)
    try:
        await place.pull("merge")
    except AgenticError as error:
        print(error.code, error.context.errno)  # noqa: T201
    print((place.kept / "pull.json").exists())  # noqa: T201
    (place.directory / "gone/deep").chmod(0o755)
    await place.finish()
    merged = MINE.replace(b"7", b"theirs")
    print(tree(place.directory) == place.workspace() | {"both": (merged, False)})  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
