"""The journal of a pull: written before its first change, so that it finishes after a crash.

It says what each path has to hold before and holds after; the contents lie in the staging area.
Without it nothing is lost either: files that were placed already are the workspace's, so that the
next pull finds them the same.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile

from agentic.directory.faults import told_of
from agentic.directory.kept.sealed import read_sealed, write_sealed
from agentic.directory.pulling.applying import Applier, Observe
from agentic.directory.pulling.looking import look
from agentic.directory.pulling.planning import Obstacle, PullConflict, Step
from agentic.directory.pulling.staging import Staging
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, State
from common.errors import AgenticError
from common.models import Lenient


def unobserved(moment: str, path: str) -> None:
    """Tell nobody."""


class Record(Lenient):
    """What a pull does. `base`: what the paths' bases are once it is done, None for no file."""

    generation: str | None
    steps: list[Step]
    base: dict[str, LocalFile | None]


@dataclass
class Finished:
    """How far a pull came: what it has done, what is left, and the file at which it stopped."""

    done: list[Step] = field(default_factory=list)
    left: list[Step] = field(default_factory=list)
    conflicts: list[PullConflict] = field(default_factory=list)


class Interrupted(Exception):
    """The pull was told to stop; its journal stays, and the next command finishes it."""


class Journal:
    """The journal in a directory's state, with the staging area that belongs to it."""

    def __init__(self, state: State, observe: Observe = unobserved) -> None:
        self._state = state
        self._path = state.place / "pull.json"
        self.staging = Staging(state.place / "staged")
        self._observe = observe

    def write(self, record: Record) -> None:
        """Write the journal, durably: from here on the pull happens."""
        write_sealed(self._path, record.model_dump_json().encode())
        self._observe("journalled", "")

    def read(self) -> Record | None:
        """Return what is to be finished. What cannot be any more is dropped, with a note."""
        try:
            content = read_sealed(self._path)
            record = None if content is None else Record.model_validate_json(content)
        except ValueError:  # it is damaged
            record = None
        if record is not None and all(map(self._can_be_done, record.steps)):
            return record
        if self._path.exists():
            self._state.notes.append("A pull that was interrupted cannot be finished: pull again.")
            self.drop()
        return None

    def _can_be_done(self, step: Step) -> bool:
        return step.becomes is None or not step.needs_content or self.staging.has(step.becomes)

    def finish(
        self, root: Root, *, is_begun: bool = True, is_stopped: Callable[[], bool] = lambda: False
    ) -> Finished:
        """Do what the journal says, up to the first file that was changed here meanwhile.

        What was not done is left for another pull to decide on: its base stays as it was. Raises
        AgenticErrors that name a path, and Interrupted: the journal stays then. `is_begun` says
        that a pull before this one may have left something.
        """
        record = self.read()
        if record is None:
            return Finished()
        applier = Applier(root, self.staging, self._observe)
        if is_begun:
            applier.sweep(record.steps)
        finished = self._apply(record.steps, applier, is_stopped)
        applier.sync()
        self._observe("applied", "")
        self._settle(record, finished)
        return finished

    def _apply(
        self, steps: list[Step], applier: Applier, is_stopped: Callable[[], bool]
    ) -> Finished:
        finished = Finished()
        for step in steps:
            if is_stopped():
                raise Interrupted
            with told_of(step.path):
                is_done = applier.apply(step)
            if not is_done:
                finished.conflicts.append(PullConflict(step.path, "changed_meanwhile"))
                break
            finished.done.append(step)
        finished.left = steps[len(finished.done) :]
        return finished

    def give_up(self, root: Root) -> Finished:
        """End a pull that cannot be finished as far as it came: no file is placed or removed.

        Steps are done in their order: up to the first that is not, what is here now is noted. The
        rest is left to another pull.
        """
        record = self.read()
        if record is None:
            return Finished()
        done = list(takewhile(partial(_is_done, root), record.steps))
        finished = Finished(done, record.steps[len(done) :])
        self._clean(root, record.steps)
        self._settle(record, finished)
        return finished

    def _clean(self, root: Root, steps: list[Step]) -> None:
        """Remove what lies incomplete beside the files, where that can be: nobody sends or sees it."""
        applier = Applier(root, self.staging, self._observe)
        for step in {step.path.rpartition("/")[0]: step for step in steps}.values():
            with suppress(AgenticError):
                applier.sweep([step])

    def _settle(self, record: Record, finished: Finished) -> None:
        """Note the new base, then drop the journal: between the two, doing it again is harmless."""
        known = self._state.known
        base = dict(known.base) if known.generation == record.generation else {}
        left_out = {step.path for step in finished.left}
        for path, file in record.base.items():
            if path in left_out:
                continue
            if file is None:
                base.pop(path, None)
            else:
                base[path] = file
        self._state.update(base=base, generation=record.generation)
        self._observe("settled", "")
        self.drop()

    def drop(self) -> None:
        """Forget the journal and what was staged for it."""
        with told_of(str(self._path)):
            self._path.unlink(missing_ok=True)
        self.staging.clear()


def _is_done(root: Root, step: Step) -> bool:
    """Tell whether a file is as a step makes it; of what cannot be looked at nobody knows."""
    try:
        now = look(root, step.path)
    except AgenticError:
        return False
    return now == step.becomes or (
        step.becomes is None and isinstance(now, Obstacle) and now.is_ours
    )
