"""What a workspace holds beside what a manifest says: what differs is kept, in a small form."""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from common.files.archives import Difference, DifferenceCount
from common.files.paths import show
from execution_environment.archives.hashing import Found
from execution_environment.archives.manifest import Entry, Manifest
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.descriptors import PERMISSIONS, Identity, identity

Type = Literal["file", "directory", "other"]
State = Literal["new", "changed", "gone"]
_TYPES: dict[str, Type] = {"file": "file", "directory": "directory"}


@dataclass(frozen=True, slots=True)
class Present:
    """What lies at a path that differs; the hash is raw bytes, None but for a file."""

    type: Type
    sha256: bytes | None
    size: int
    mode: int
    identity: Identity
    """What the file must still have when its content is sent."""


@dataclass(frozen=True)
class Comparison:
    """All that differs, by path and in the order of its bytes; where something is gone, None is."""

    manifest: Manifest
    found: dict[bytes, Present | None]
    held: frozenset[bytes]
    """The manifest's hashes that lie somewhere in the workspace."""
    count: DifferenceCount

    def lines(self) -> Iterator[bytes]:
        """Yield the answer, a line each; the last one ends it."""
        for path, present in self.found.items():
            difference = self._difference(path, present)
            yield difference.model_dump_json(exclude_none=True).encode() + b"\n"
        yield self.count.model_dump_json().encode() + b"\n"

    def contents(self) -> Iterator[tuple[bytes, Present]]:
        """Yield the path of a file for each content that the workspace has and the manifest not so."""
        passed: set[bytes | None] = {None}
        for path, present in self.found.items():
            if present is not None and present.sha256 not in passed:
                passed.add(present.sha256)
                yield path, present

    def _difference(self, path: bytes, present: Present | None) -> Difference:
        entry = self.manifest.entries.get(path)
        is_held = entry is not None and entry.sha256 in self.held
        named = Difference(path=show(path), state=_state(entry, present), is_held=is_held)
        if present is None:
            return named
        if present.sha256 is None:
            return named.model_copy(update={"type": present.type})
        return named.model_copy(
            update={
                "type": present.type,
                "sha256": present.sha256.hex(),
                "size": present.size,
                "mode": f"{present.mode:04o}",
            }
        )


class Comparer:
    """Takes in what a survey finds, and tells in the end how it differs from a manifest of files.

    A directory counts only where the manifest has a file; elsewhere a link or a special is skipped.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._found: dict[bytes, Present | None] = {}
        self._held: set[bytes] = set()
        self._same: set[bytes] = set()
        self._skipped = 0

    def take(self, item: Found) -> None:
        """Take in what lies at a path."""
        path, present = b"/".join(item.parts), _present(item)
        entry = self._manifest.entries.get(path)
        if present.sha256 in self._manifest.contents:
            self._held.add(present.sha256)
        if entry is not None and _is_same(entry, present):
            self._same.add(path)
        elif entry is not None or present.type == "file":
            self._found[path] = present
        else:
            self._skipped += present.type == "other"

    def missing(self) -> list[Entry]:
        """Return the manifest's files of whose paths nothing has been taken in so far."""
        entries = self._manifest.entries.items()
        seen = self._same, self._found
        return [entry for path, entry in entries if not any(path in paths for paths in seen)]

    def finish(self, generation: str | None) -> Comparison:
        """Return the whole; what is still missing is gone."""
        gone = {entry.path: None for entry in self.missing()}
        found = {**self._found, **gone}
        states: dict[State, int] = {"new": 0, "changed": 0, "gone": 0}
        for path, present in found.items():
            states[_state(self._manifest.entries.get(path), present)] += 1
        count = DifferenceCount(
            **states, same=len(self._same), skipped=self._skipped, generation=generation
        )
        ordered = {path: found[path] for path in sorted(found)}
        return Comparison(self._manifest, ordered, frozenset(self._held), count)


def compare(manifest: Manifest, survey: Survey, generation: str | None) -> Comparison:
    """Return how a workspace, made in this `generation`, differs from a manifest of files.

    What is told to be gone has been looked for once more: it may have been moved, from where the
    survey was not yet to where it had been.
    """
    comparer = Comparer(manifest)
    for item in survey.walk() if generation else ():
        comparer.take(item)
    for entry in comparer.missing() if generation else ():
        if (later := survey.look(entry.parts)) is not None:
            comparer.take(later)
    return comparer.finish(generation)


def _present(item: Found) -> Present:
    return Present(
        _TYPES.get(item.kind, "other"),
        None if item.sha256 is None else bytes.fromhex(item.sha256),
        item.status.st_size,
        stat.S_IMODE(item.status.st_mode) & PERMISSIONS,
        identity(item.status),
    )


def _is_same(entry: Entry, present: Present) -> bool:
    is_executable = bool(present.mode & stat.S_IXUSR)
    return entry.sha256 == present.sha256 and entry.is_executable == is_executable


def _state(entry: Entry | None, present: Present | None) -> State:
    if entry is None:
        return "new"
    return "gone" if present is None else "changed"
