"""Puts what was fetched into a directory: file by file, each whole, and none that was changed here.

Every step may be repeated: one that is done already is passed over, so that a pull that was killed
anywhere is finished by doing it again.
"""

from collections.abc import Callable
from typing import Literal

from agentic.directory.names import Parts, parsed
from agentic.directory.pulling.looking import empty_directories, is_directory, look
from agentic.directory.pulling.planning import Mine, Obstacle, Step
from agentic.directory.pulling.staging import Staging
from agentic.directory.root import Root
from agentic.directory.state import LocalFile
from agentic.directory.writing import Writer

Moment = Literal[
    "fetched",
    "journalled",
    "staged",
    "checked",
    "placed",
    "removed",
    "cleared",
    "applied",
    "settled",
]
Observe = Callable[[Moment, str], None]
"""Is told how far a pull has come, and with which path: what tests interrupt."""


class Applier:
    """Carries out steps beneath a root. Raises AgenticErrors that name the path."""

    def __init__(self, root: Root, staging: Staging, observe: Observe) -> None:
        self._root = root
        self._writer = Writer(root)
        self._staging = staging
        self._observe = observe
        self._unsynced: set[Parts] = set()

    def apply(self, step: Step) -> bool:
        """Carry out a step; False where something else than was planned on is there by now."""
        parts = parsed(step.path)
        now = self._now(step.path)
        if step.becomes is None:
            return self._remove(step, parts, now)
        if now == step.becomes:
            return True
        if now != step.was:
            return False
        if step.needs_content:
            return self._place(step, parts, step.becomes)
        self._writer.set_executable(parts, step.becomes.is_executable)
        return True

    def sync(self) -> None:
        """Make all steps durable: until then the journal has to stay."""
        changed = {parts[:length] for parts in self._unsynced for length in range(len(parts) + 1)}
        for parts in sorted(changed):  # those above, too: directories were made and removed
            if is_directory(self._root, parts):
                self._writer.sync(parts)

    def sweep(self, steps: list[Step]) -> None:
        """Remove what a pull that was killed has left incomplete beside its files."""
        for above in {parsed(step.path)[:-1] for step in steps}:
            if is_directory(self._root, above):
                self._writer.sweep(above)

    def _now(self, path: str) -> Mine:
        """Return what is there; directories with nothing in them go out of the way."""
        now = look(self._root, path)
        if not isinstance(now, Obstacle) or now.at != path or now.holds != frozenset():
            return now
        for empty in empty_directories(self._root, parsed(path)):
            self._writer.remove_empty_parents((*empty, b"_"))
        return look(self._root, path)

    def _place(self, step: Step, parts: Parts, file: LocalFile) -> bool:
        with self._writer.staging(parts, is_executable=file.is_executable) as staged:
            for piece in self._staging.read(file.sha256):
                staged.write(piece)
        self._observe("staged", step.path)
        if look(self._root, step.path) != step.was:
            self._writer.remove(staged.parts)
            return False
        self._observe("checked", step.path)
        self._writer.replace(parts, staged.parts, is_durable=False)
        self._unsynced.add(parts[:-1])
        self._observe("placed", step.path)
        return True

    def _remove(self, step: Step, parts: Parts, now: Mine) -> bool:
        """Remove a file, and the directories above that have nothing in them then.

        Where a later step has put something else already, it was removed before a crash.
        """
        if isinstance(now, Obstacle):
            return now.is_ours
        if now is not None:
            if now != step.was:
                return False
            self._writer.remove(parts, is_durable=False)
            self._unsynced.add(parts[:-1])
            self._observe("removed", step.path)
        for length in range(len(parts) - 1, 0, -1):
            if is_directory(self._root, parts[:length]):
                self._writer.remove_empty_parents(parts[: length + 1])
                break
        self._observe("cleared", step.path)
        return True
