"""What lies in a tree, by the bytes of its paths and from anywhere on; of directories on the way, the names."""

import math
import os
from collections.abc import Iterator

from common.files.paths import Parts
from execution_environment.sandbox.descriptors import DIRECTORY, opened, status_at
from execution_environment.sandbox.limits import CallLimits
from execution_environment.sandbox.walking import PASSED_OVER, Entry, scanned

CHUNK = 1000
"""Entries of a directory whose status is asked for at once."""


class OrderedWalk:
    """A walk beneath a directory, `depth` levels deep (None: all).

    Each directory is opened anew from the root, so any depth takes one descriptor. One that vanished or
    was replaced meanwhile is passed over.
    """

    def __init__(
        self, root: int, base: Parts, start: Parts, depth: int | None, limits: CallLimits
    ) -> None:
        self._root = root
        self._base = base
        self._start = start
        self._deepest = len(start) + (math.inf if depth is None else depth)
        self._limits = limits

    def after(self, path: bytes) -> Iterator[Entry]:
        """Yield the entries beyond a path, in order; a directory that lies before it is not looked into."""
        pending = [self._within(self._start, path)]
        while pending:
            found = next(pending[-1], None)
            if found is None:
                pending.pop()
            elif isinstance(found, Entry):
                yield found
            else:
                self._limits.check_deadline()
                pending.append(self._within_if_there(found, path))

    def _within_if_there(self, parts: Parts, after: bytes) -> Iterator[Entry | Parts]:
        try:
            yield from self._within(parts, after)
        except OSError as error:
            if error.errno not in PASSED_OVER:
                raise

    def _within(self, parts: Parts, after: bytes) -> Iterator[Entry | Parts]:
        """Yield a directory's entries, and the path of each that is one itself where its inside comes."""
        places = self._places(parts, after)
        for first in range(0, len(places), CHUNK):
            chunk = places[first : first + CHUNK]
            statuses = self._statuses(parts, chunk)
            for place in chunk:
                if place.endswith(b"/"):
                    yield (*parts, place[:-1])
                elif (status := statuses[place]) is not None:
                    yield Entry((*parts, place), status)

    def _places(self, parts: Parts, after: bytes) -> list[bytes]:
        """Return the names in a directory that lie beyond a path; with a slash, where the inside of one does."""
        places = []
        has_inside, prefix = len(parts) + 1 < self._deepest, b"/".join((*parts, b""))
        with (
            opened(self._root, self._base + parts, DIRECTORY) as directory,
            scanned(directory, self._limits.check_deadline) as found,
        ):
            for item in found:
                name = os.fsencode(item.name)
                places.append(name)
                if has_inside and item.is_dir(follow_symlinks=False):
                    places.append(name + b"/")
        return sorted(place for place in places if _reaches(prefix + place, after))

    def _statuses(self, parts: Parts, places: list[bytes]) -> dict[bytes, os.stat_result | None]:
        names = [place for place in places if not place.endswith(b"/")]
        with opened(self._root, self._base + parts, DIRECTORY) as directory:
            return {name: status_at(directory, name) for name in names}


def _reaches(path: bytes, after: bytes) -> bool:
    """Tell whether a path is beyond another; of the inside of a directory, whether any in it is."""
    return path > after or (path.endswith(b"/") and after.startswith(path))
