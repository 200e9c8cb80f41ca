"""What a task left behind: its files before and after, and what the model said."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Files = Mapping[str, str]
"""Texts by path, relative to the workspace."""


def files_of(root: Path) -> Files:
    """Return all files beneath a directory."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path.read_text(errors="replace") for path in found}


def put(root: Path, files: Files) -> None:
    """Write files, with the directories that lead to them."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass(frozen=True)
class Outcome:
    """A workspace before and after, and the answer of each run."""

    root: Path
    before: Files
    answers: Sequence[str] = ()
    after: Files = field(init=False)

    def __post_init__(self) -> None:
        """Read the files as they are now."""
        object.__setattr__(self, "after", files_of(self.root))

    def text(self, path: str) -> str:
        """Return a file's text, without the white space around it; empty where there is none."""
        return self.after.get(path, "").strip()

    def differing(self, expected: Files) -> Iterator[str]:
        """Yield how the workspace differs from what it should hold, white space around it aside."""
        for path in sorted({*expected, *self.after}):
            if path not in self.after:
                yield f"{path} is missing"
            elif path not in expected:
                yield f"{path} should not be there"
            elif self.after[path].strip() != expected[path].strip():
                yield f"{path} is not as it should be"

    def differing_beside(self, *paths: str) -> Iterator[str]:
        """Yield what has changed of all files but these; each of these has to be there."""
        known = {path: self.after[path] for path in paths if path in self.after}
        yield from self.differing({**self.before, **dict.fromkeys(paths, ""), **known})


Check = Callable[[Outcome], Iterator[str]]
"""Yields what is wrong; nothing, when the task is done."""


@dataclass(frozen=True)
class Task:
    """Goals in words, one run each in one session, over files; and how to tell what came of it."""

    name: str
    files: Files
    goals: Sequence[str]
    check: Check
    answer: str = "Do what you think best, and ask no more."
    """What a run is told that asks a question."""
