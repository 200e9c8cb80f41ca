"""Looks whether paths are what a sentence calls them, a file or a directory, before it is done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from common.errors import ToolError
from common.runs import Step
from orchestrator.planners.decisions import Call
from orchestrator.planners.rules.commands import Arguments, Command, output
from orchestrator.planners.rules.targets import Built, Target, Unclear

_IS_NOT = {
    "file": ("not_a_file", "is called a file, and is a directory"),
    "folder": ("not_a_directory", "is called a directory, and is a file"),
}


@dataclass(frozen=True)
class Checked:
    """A command that is done only when paths are what they were called."""

    called: tuple[Target, ...]
    command: Command

    def calls(self, done: Sequence[Step]) -> Sequence[Call]:
        """Return the looks, then the command's own calls."""
        count = len(self.called)
        if len(done) < count:
            return [_look(target) for target in self.called[len(done) :]]
        if len(done) == count:
            for target, step in zip(self.called, done, strict=True):
                _require(target, step)
        return self.command.calls(done[count:])

    def answer(self, done: Sequence[Step]) -> str:
        """Say what the command says."""
        return self.command.answer(done[len(self.called) :])


def with_looks(built: Built, targets: Iterable[object]) -> Built:
    """Return a sentence's commands, before which all that it calls a file or a directory is seen."""
    called = tuple(t for t in targets if isinstance(t, Target) and t.kind is not None)
    if not called:
        return built
    first, *others = built.commands
    return replace(built, commands=[Checked(called, first), *others])


def as_called(source: Target, place: Target) -> Target:
    """Return a source that becomes a place of this kind; raise when it is called otherwise."""
    if place.kind != "file":
        return source
    if source.kind == "folder":
        raise Unclear(f"'{source.path}' is called a directory, and '{place.path}' a file")
    return replace(source, kind="file")


def _look(target: Target) -> Call:
    arguments: Arguments = {"path": target.path, "hash": False}
    return Call("look", "get_file_info", arguments)


def _require(target: Target, step: Step) -> None:
    is_folder = output(step)["type"] == "directory"
    if target.kind is not None and is_folder != (target.kind == "folder"):
        code, detail = _IS_NOT[target.kind]
        raise ToolError(
            code,
            f"'{target.path}' {detail}: nothing was done to it",
            hint="Call it what it is, or leave the word out.",
            path=target.path,
        )
