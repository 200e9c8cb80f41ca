"""Looks at a directory's files: which there are, and their hashes, read again only where one changed."""

import hashlib
import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from agentic.directory.faults import refusal, told_of
from agentic.directory.ignoring.listing import Listing, list_files
from agentic.directory.names import MAX_PATH, Parts, folded, parsed, shown
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, Stamp
from common.errors import AgenticError

PIECE = 1024 * 1024
"""Bytes that are read at a time."""
SETTLED_NS = 2_000_000_000
"""A file must have been left alone for so long before its hash is remembered: times are coarse."""
Read = Callable[[int, int], bytes]
"""As `os.read`: takes a descriptor and a size."""
MAX_SHOWN = 200
_ATTEMPTS = 3
_NAMED = 10


@dataclass(frozen=True)
class Scan:
    """A directory as it was looked at; all by path."""

    files: dict[str, LocalFile]
    skipped: list[str]
    """Links, FIFOs, devices: never followed, never sent."""
    left_alone: set[str]
    """Tracked ones that `.agenticignore` names, or a link hides, now: neither sent nor deleted."""
    stamps: dict[str, Stamp]
    notes: list[str]


def scan(
    root: Root,
    stamps: dict[str, Stamp],
    tracked: Iterable[str] = (),
    clock: Callable[[], int] = time.time_ns,
    read: Read = os.read,
) -> Scan:
    """Look at what belongs, and at what is `tracked`: as git does, also where it is ignored now.

    `stamps` spares reading what is as it was. Raises errors that name what cannot be read.
    """
    listing = list_files(root)
    left_alone = _add_tracked(root, listing, tracked)
    found = Scan({}, [], left_alone, {}, listing.notes)
    unreadable: list[AgenticError] = []
    for parts, status in listing.files.items():
        path = shown(parts)
        if not stat.S_ISREG(status.st_mode):
            found.skipped.append(path)
            continue
        try:
            _require_sendable(path)
            settled = clock() - SETTLED_NS
            _look_at(root, parts, status, stamps.get(path), settled, found, read)
        except AgenticError as error:
            if error.code != "path_not_found":  # it has gone meanwhile
                unreadable.append(error)
    _raise_for(unreadable)
    found.skipped.sort()
    return found


def _require_sendable(path: str) -> None:
    if len(path) > MAX_PATH:  # in characters as the services write them: four for an odd byte
        raise refusal(
            "path_not_allowed",
            f"'{path[:MAX_SHOWN]}…' has a path of {len(path)} characters; {MAX_PATH} can be sent",
            hint="Give it a shorter name, or name it in .agenticignore.",
            path=path[:MAX_SHOWN],
        )


def _look_at(
    root: Root,
    parts: Parts,
    status: os.stat_result,
    known: Stamp | None,
    settled: int,
    found: Scan,
    read: Read,
) -> None:
    """Add a file; remember its hash if it had been left alone since `settled` (nanoseconds)."""
    path = shown(parts)
    is_known = known is not None and known[:-1] == _facts(status)
    if known is None or not is_known:
        sha256, status = hashed(root, parts, read)
        known = Stamp(*_facts(status), sha256)
    found.files[path] = LocalFile(known.sha256, known.size, is_executable(status))
    if is_known or max(known.mtime_ns, known.ctime_ns) < settled:
        found.stamps[path] = known


def hashed(root: Root, parts: Parts, read: Read = os.read) -> tuple[str, os.stat_result]:
    """Return a file's SHA-256 and its status, which was the same before and after reading.

    Raises `invalid_state` where somebody keeps writing to it.
    """
    path = shown(parts)
    for _ in range(_ATTEMPTS):
        with root.open_file(parts) as descriptor, told_of(path):
            before = os.fstat(descriptor)
            digest = hashlib.sha256()
            while piece := read(descriptor, PIECE):
                digest.update(piece)
            after = os.fstat(descriptor)
        if _facts(before) == _facts(after):
            return digest.hexdigest(), after
    raise refusal(
        "invalid_state",
        f"'{path}' is written to all the time",
        hint="Wait until it is complete, or name it in .agenticignore.",
        path=path,
    )


def is_executable(status: os.stat_result) -> bool:
    """Tell whether its owner may execute a file."""
    return bool(status.st_mode & stat.S_IXUSR)


def _facts(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _add_tracked(root: Root, listing: Listing, tracked: Iterable[str]) -> set[str]:
    """Add what is tracked and not listed; return what is left alone nevertheless."""
    left_alone: set[str] = set()
    unlisted = _by_directory(parts for parts in map(parsed, tracked) if parts not in listing.files)
    listed = _by_folded_path(listing) if unlisted else {}
    for directory, names in unlisted.items():
        found = root.statuses(directory, names)
        for parts in ((*directory, name) for name in names):
            if found is None or not listing.may_hold(parts):
                left_alone.add(shown(parts))
            elif _is_another(found.get(parts[-1]), listed.get(folded(shown(parts)))):
                listing.files[parts] = found[parts[-1]]
    return left_alone


def _by_directory(paths: Iterable[Parts]) -> dict[Parts, list[bytes]]:
    names: dict[Parts, list[bytes]] = defaultdict(list)
    for *above, name in paths:
        names[tuple(above)].append(name)
    return names


def _by_folded_path(listing: Listing) -> dict[str, os.stat_result]:
    return {folded(shown(parts)): status for parts, status in listing.files.items()}


def _is_another(status: os.stat_result | None, listed: os.stat_result | None) -> bool:
    """Tell whether there is a file, and not the listed one under the name that it had before.

    It is found under that as well where the disk takes the two spellings for one.
    """
    if status is None or stat.S_ISDIR(status.st_mode):
        return False
    return listed is None or status.st_nlink > 1 or not os.path.samestat(status, listed)


def _raise_for(unreadable: list[AgenticError]) -> None:
    if len(unreadable) == 1:
        raise unreadable[0]
    if unreadable:
        paths = sorted(f"'{one.context.path}'" for one in unreadable)
        named = ", ".join(paths[:_NAMED])
        more = "" if len(unreadable) <= _NAMED else f" and {len(unreadable) - _NAMED} more"
        raise refusal(
            unreadable[0].code,
            f"{named}{more} cannot be read",
            hint="Make them readable, or name them in .agenticignore.",
        )
