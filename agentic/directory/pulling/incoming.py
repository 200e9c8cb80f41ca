"""What a workspace has changed, as the server tells it: nothing is believed before it was checked.

A server may be hostile or broken, and a workspace holds whatever an agent has made of it. What
cannot be right is refused as a whole, before anything is fetched or changed.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field

from agentic.directory.differences import read_differences
from agentic.directory.faults import distrust, refusal
from agentic.directory.names import collisions, is_barred
from agentic.directory.state import LocalFile
from common.errors import AgenticError
from common.files.archives import Difference, DifferenceCount


@dataclass
class Theirs:
    """What the workspace has now where it differs from a base; None where it has no file.

    `skipped`: where it has something that no archive holds, such as a link, instead of a file.
    `barred`: its files that never come here: those in a `.git` that an agent has made, and names
    that would lie to a terminal or a script.
    """

    files: dict[str, LocalFile | None] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    barred: dict[str, LocalFile] = field(default_factory=dict)
    generation: str | None = None

    def beside(self, base: Mapping[str, LocalFile]) -> set[str]:
        """Return the files that there are when these changes are made to a base."""
        now = {**base, **self.files}
        return {path for path, file in now.items() if file is not None}

    @property
    def left_out(self) -> list[str]:
        """What is not taken, sorted: a directory that never comes here stands for all in it."""
        tops = {next(filter(is_barred, reversed([path, *above(path)]))) for path in self.barred}
        return sorted(self.skipped | tops)


async def read_theirs(
    lines: AsyncIterator[Difference | DifferenceCount], base: Mapping[str, LocalFile]
) -> Theirs:
    """Return what differs from the base; raise `upstream_failed` or `path_not_allowed`."""
    theirs = Theirs()

    def take(path: str, line: Difference) -> None:
        _take(path, line, base, theirs)

    theirs.generation = await read_differences(lines, base, take)
    return theirs


def _take(path: str, line: Difference, base: Mapping[str, LocalFile], theirs: Theirs) -> None:
    if line.state != "gone" and line.type == "other":
        theirs.skipped.add(path)
    elif line.state == "gone" or line.type == "directory":
        if path in base:  # a new directory is made with the first file in it
            theirs.files[path] = None
    elif path not in base and is_barred(path):
        theirs.barred[path] = file_of(line)
    else:
        theirs.files[path] = file_of(line)


def file_of(line: Difference) -> LocalFile:
    """Return the file that a line tells of; raise `upstream_failed` where that cannot be one."""
    if line.type != "file" or line.sha256 is None or line.size is None or line.mode is None:
        raise distrust(f"what it says of '{line.path[:200]}' is not true of any file")
    return LocalFile(line.sha256, line.size, line.is_executable)


def not_allowed(path: str, reason: str) -> AgenticError:
    """Return the error of a file that may not come here."""
    detail = f"The workspace has '{path[:200]}', which may not come here: {reason}"
    hint = "Nothing was changed here. Rename or delete it in the workspace, then pull again."
    return refusal("path_not_allowed", detail, hint=hint, path=path[:200])


def require_tree(there: set[str], is_case_blind: Callable[[], bool]) -> None:
    """Raise for files that cannot lie side by side: one below the other, or of one name here.

    `is_case_blind` tells whether names that Unicode folds together are one here; it is asked only
    where there are such.
    """
    for parent in sorted({parent for path in there for parent in above(path)} & there):
        raise distrust(f"'{parent[:200]}' cannot be a file and have other files in it")
    for same in collisions(there):
        if is_case_blind():
            raise not_allowed(same[0], f"'{same[1][:200]}' has the same name on this disk")


def respelt(theirs: Theirs) -> set[str]:
    """Return the files that have come in the place of one that is gone, but for case or normal form.

    Where the two names are one, what is here by the new one is the old one, which is to go.
    """
    names = {path for same in collisions(theirs.files) for path in same}
    return {path for path in names if theirs.files.get(path) is not None}


def above(path: str) -> Iterator[str]:
    """Yield the directories that a path lies in, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path
