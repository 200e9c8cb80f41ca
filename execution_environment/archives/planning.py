"""What an archive comes to in its workspace: each path is looked at, and what stands against it told.

Nothing is changed here. What must hold: the workspace's lock is held, so that what is planned is still
right when it is staged.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from common.errors import ClientError, ToolError
from common.files.archives import MOST_NAMED, Conflict
from common.files.paths import Parts
from execution_environment.archives.hashing import Found
from execution_environment.archives.manifest import Entry, Manifest
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.limits import CallLimits, Usage

_OWNER_RUNS = 0o100


@dataclass(frozen=True, slots=True)
class Emptied:
    """A directory that makes room for a file, and what it takes up with all in it."""

    found: Found
    usage: Usage


@dataclass
class Plan:
    """What is to be done, all of it or nothing; by path, as `Entry` has paths."""

    deleted: dict[bytes, Found] = field(default_factory=dict)
    emptied: dict[bytes, Emptied] = field(default_factory=dict)
    """Of these directories all files are `deleted`."""
    placed: list[tuple[Entry, Found | None]] = field(default_factory=list)
    """Files that come, with the file that each replaces."""
    unchanged: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    """The first ones."""
    conflict_count: int = 0

    def require_no_conflict(self) -> None:
        """Raise `changed_elsewhere` where a path holds something else than was expected."""
        if self.conflict_count:
            raise ClientError(
                "changed_elsewhere",
                f"{self.conflict_count} paths hold something else than was expected",
                conflicts=[conflict.model_dump() for conflict in self.conflicts],
                actual=self.conflict_count,
            )

    def directories(self) -> Iterator[Parts]:
        """Yield the directories that something is put in, or taken out of."""
        for found in self.deleted.values():
            yield found.parts[:-1]
        for entry, _ in self.placed:
            yield entry.parts[:-1]

    def is_gone_with_a_directory(self, parts: Parts) -> bool:
        """Tell whether a path lies in a directory that goes as a whole."""
        if not self.emptied:
            return False
        return any(b"/".join(parts[:depth]) in self.emptied for depth in range(1, len(parts)))


class Planner:
    """Compares a manifest with what there is; `force` overrides files, and nothing else."""

    def __init__(self, survey: Survey, limits: CallLimits, *, force: bool) -> None:
        self._survey = survey
        self._limits = limits
        self._force = force
        self._plan = Plan()
        self._ways: dict[Parts, bool | None] = {(): True}
        """Directories on the way: whether something can be in there, None for one to be made."""

    def plan(self, manifest: Manifest) -> Plan:
        """Return what an archive comes to; what goes is looked at first, for it makes room."""
        entries = manifest.entries.values()
        gone = [entry for entry in entries if entry.sha256 is None]
        come = [entry for entry in entries if entry.sha256 is not None]
        for chosen, judge in ((gone, self._judge_what_goes), (come, self._judge_what_comes)):
            for entry in chosen:
                self._limits.check_deadline()
                judge(entry, self._look(entry.parts))
        return self._plan

    def _look(self, parts: Parts) -> Found | None:
        """Return what lies at a path, None for nothing: behind a link there is nothing for us."""
        try:
            return self._survey.look(parts)
        except ToolError as error:
            if error.context.errno != "ELOOP":
                raise
            return None

    def _judge_what_goes(self, entry: Entry, found: Found | None) -> None:
        if found is None or found.kind == "directory":  # there is no such file any more
            self._plan.unchanged += 1
        elif found.kind == "file" and self._may_go(entry, found.sha256):
            self._plan.deleted[entry.path] = found
        else:
            self._refuse(entry, found)

    def _judge_what_comes(self, entry: Entry, found: Found | None) -> None:
        if found is not None and _is_as_wanted(entry, found):
            self._plan.unchanged += 1
        elif self._may_come(entry, found):
            replaced = found if found is not None and found.kind == "file" else None
            self._plan.placed.append((entry, replaced))
        else:
            is_barred = found is None and not self._is_way_free(entry.parts)
            self._refuse(entry, found, "other" if is_barred else None)

    def _may_come(self, entry: Entry, found: Found | None) -> bool:
        if found is None:
            return self._may_go(entry, None) and self._is_way_free(entry.parts)
        if found.kind == "directory":
            return self._may_go(entry, None) and self._is_emptied(entry, found)
        return found.kind == "file" and self._may_go(entry, found.sha256)

    def _may_go(self, entry: Entry, sha256: str | None) -> bool:
        expected = None if entry.expected is None else entry.expected.hex()
        return self._force or sha256 == expected

    def _is_emptied(self, entry: Entry, directory: Found) -> bool:
        """Tell whether all files in a directory go, so that a file can take its place."""
        size, entries = 0, 1
        for found in self._survey.walk(entry.parts, lambda _: False):
            self._limits.check_deadline()
            entries += 1
            if found.kind == "directory":
                continue
            if b"/".join(found.parts) not in self._plan.deleted:
                return False
            size += found.status.st_size
        self._plan.emptied[entry.path] = Emptied(directory, Usage(size, entries))
        return True

    def _is_way_free(self, parts: Parts) -> bool:
        """Tell whether there are only directories above a path, or what makes room for them."""
        for depth in range(1, len(parts)):
            above = parts[:depth]
            if above not in self._ways:
                self._ways[above] = self._state_of_way(above)
            is_free = self._ways[above]
            if not is_free:
                return is_free is None
        return True

    def _state_of_way(self, above: Parts) -> bool | None:
        found = self._look(above)
        if found is None or b"/".join(above) in self._plan.deleted:
            return None
        return found.kind == "directory"

    def _refuse(self, entry: Entry, found: Found | None, kind: str | None = None) -> None:
        self._plan.conflict_count += 1
        if len(self._plan.conflicts) < MOST_NAMED:
            self._plan.conflicts.append(_conflict(entry, found, kind))


def _is_as_wanted(entry: Entry, found: Found) -> bool:
    is_executable = bool(found.status.st_mode & _OWNER_RUNS)
    is_same = entry.sha256 is not None and found.sha256 == entry.sha256.hex()
    return found.kind == "file" and is_same and is_executable == entry.is_executable


def _conflict(entry: Entry, found: Found | None, kind: str | None) -> Conflict:
    if found is not None:
        kind = found.kind if found.kind in ("file", "directory") else "other"
    return Conflict.model_validate(
        {
            "path": entry.shown,
            "expected_sha256": None if entry.expected is None else entry.expected.hex(),
            "current_sha256": None if found is None else found.sha256,
            "type": kind,
        }
    )
