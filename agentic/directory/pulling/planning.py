"""What a pull does with each difference: pure, from three states of each path.

`base` is what both sides had when they were last synced, mine what is here now, theirs what the
workspace has now. What only they changed is taken; what both changed is a conflict.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agentic.directory.pulling.incoming import Theirs
from agentic.directory.state import LocalFile

Choice = Literal["theirs", "ours", "merge"]
Kind = Literal[
    "both_changed",
    "both_created",
    "deleted_here",
    "deleted_there",
    "in_the_way",
    "changed_meanwhile",
]


@dataclass(frozen=True)
class Obstacle:
    """What is in a path's place and is no file, or on the way to it and is no directory.

    `at`: where it is. `holds`: the files that a directory has in it; None for everything that is
    never removed: a link, a special, or a directory with more in it than a pull could remove.
    """

    at: str
    is_ours: bool = False
    """Whether a pull may have put it there: a file, or a directory; a link or a special is not."""
    holds: frozenset[str] | None = None


Mine = LocalFile | Obstacle | None


@dataclass(frozen=True)
class Step:
    """One change of a file: what has to be in its place before, and what is there after."""

    path: str
    was: LocalFile | None
    becomes: LocalFile | None

    @property
    def needs_content(self) -> bool:
        """Whether more changes than the right to execute."""
        return self.becomes is not None and (
            self.was is None or self.was.sha256 != self.becomes.sha256
        )


@dataclass(frozen=True)
class Merge:
    """A file whose content both sides changed."""

    path: str
    base: LocalFile
    mine: LocalFile
    theirs: LocalFile

    @property
    def is_executable(self) -> bool:
        """The right to execute, as the side has it that changed it."""
        mine = self.mine.is_executable
        return self.theirs.is_executable if mine == self.base.is_executable else mine

    def settled(self) -> LocalFile | None:
        """Return what both come to where one side's content stands; None where both count."""
        if self.theirs.sha256 in (self.base.sha256, self.mine.sha256):
            return self.mine._replace(is_executable=self.is_executable)
        if self.mine.sha256 == self.base.sha256:
            return self.theirs._replace(is_executable=self.is_executable)
        return None


@dataclass(frozen=True)
class PullConflict:
    """A path at which both sides changed something, or something here is in the way."""

    path: str
    kind: Kind


@dataclass
class Plan:
    """What is to be done. `base` is what the paths' bases are afterwards, None for no file."""

    steps: list[Step] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    conflicts: list[PullConflict] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    """Files that both sides have alike by now."""
    base: dict[str, LocalFile | None] = field(default_factory=dict)


def plan(
    base: Mapping[str, LocalFile], mine: Mapping[str, Mine], theirs: Theirs, choice: Choice | None
) -> Plan:
    """Return what a pull does. `mine` tells of every path that differs.

    Deletions come first, the lowest first: a file may take the place of a directory, or the
    reverse.
    """
    made = Plan()
    paths = sorted(theirs.files)
    for path in reversed([path for path in paths if theirs.files[path] is None]):
        _decide(made, path, (base.get(path), _file(mine[path]), None), choice)
    gone = frozenset(step.path for step in made.steps)
    for path in [path for path in paths if theirs.files[path] is not None]:
        here, there = mine[path], theirs.files[path]
        is_blocked = isinstance(here, Obstacle) and not _is_cleared(here, path, gone)
        if is_blocked and there != base.get(path):
            _refuse(made, path, "in_the_way", there, choice == "ours")
        else:
            _decide(made, path, (base.get(path), _file(here), there), choice)
    return made


def _file(here: Mine) -> LocalFile | None:
    return None if isinstance(here, Obstacle) else here


def _is_cleared(obstacle: Obstacle, path: str, gone: frozenset[str]) -> bool:
    """Tell whether the deletions of this pull remove all that is in the way."""
    if obstacle.at != path:
        return obstacle.at in gone
    return obstacle.holds is not None and obstacle.holds <= gone


def _decide(
    made: Plan,
    path: str,
    states: tuple[LocalFile | None, LocalFile | None, LocalFile | None],
    choice: Choice | None,
) -> None:
    base, mine, theirs = states
    if theirs in (mine, base):
        made.base[path] = theirs
        made.same += [path] if mine and mine == theirs else []
    elif base == mine or choice == "theirs":
        made.base[path] = theirs
        made.steps.append(Step(path, mine, theirs))
    elif choice == "merge" and base and mine and theirs:
        made.base[path] = theirs
        _merge(made, Merge(path, base, mine, theirs))
    else:
        _refuse(made, path, _kind(base, mine, theirs), theirs, choice == "ours")


def _merge(made: Plan, merge: Merge) -> None:
    settled = merge.settled()
    if settled is None:
        made.merges.append(merge)
    elif settled != merge.mine:
        made.steps.append(Step(merge.path, merge.mine, settled))


def _refuse(made: Plan, path: str, kind: Kind, theirs: LocalFile | None, is_ours: bool) -> None:
    """Leave what is here: as a conflict, or as what the next push sends."""
    if not is_ours:
        made.conflicts.append(PullConflict(path, kind))
        return
    made.kept.append(path)
    made.base[path] = theirs


def _kind(base: LocalFile | None, mine: LocalFile | None, theirs: LocalFile | None) -> Kind:
    if mine is None:
        return "deleted_here"
    if theirs is None:
        return "deleted_there"
    return "both_created" if base is None else "both_changed"
