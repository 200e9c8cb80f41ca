"""The sentences that copy, move and rename: which calls they need, and where things go."""

import posixpath
from dataclasses import replace
from typing import Any

from lark import Token, Transformer

from orchestrator.planners.rules.checking import as_called, with_looks
from orchestrator.planners.rules.commands import Arguments, Command, OneCall
from orchestrator.planners.rules.targets import Built, Subject, Target, Unclear, paths_of
from orchestrator.planners.rules.transfers import DONE, Tool, Transfer, within


class Moving(Transformer[Token, Built]):
    """Builds the commands of the grammar's rules that have their names."""

    def save_as(self, children: list[Any]) -> Built:
        source, place = children
        source = source if isinstance(source, Target) else Target(str(source))
        return _named("copy_path", [source], place)

    def save_to(self, children: list[Any]) -> Built:
        source, place = str(children[0]), children[1].path
        raise Unclear(
            f"'{source}' could be a file or the text to save",
            f"copy {source} to {place}, or write '{source}' to {place}",
        )

    def copy_to(self, children: list[Any]) -> Built:
        return _transferred("copy_path", *_listed(children))

    def copy_as(self, children: list[Any]) -> Built:
        return _named("copy_path", *children)

    def copy_into(self, children: list[Any]) -> Built:
        return _transferred("copy_path", *children, into=True)

    def copy_over(self, children: list[Any]) -> Built:
        return _over("copy_path", *children)

    def move_to(self, children: list[Any]) -> Built:
        return _transferred("move_path", *_listed(children))

    def move_as(self, children: list[Any]) -> Built:
        return replace(_named("move_path", *children), subject=Subject((children[1],)))

    def move_into(self, children: list[Any]) -> Built:
        return _transferred("move_path", *children, into=True)

    def move_over(self, children: list[Any]) -> Built:
        return replace(_over("move_path", *children), subject=Subject((children[1],)))

    def renaming(self, children: list[Any]) -> Built:
        [source], place = paths_of(children[0], 1), children[1]
        if place.kind == "folder" and source.kind != "folder":
            raise Unclear(
                f"'{place.path}' is called a directory", f"move {source.path} into {place.path}/"
            )
        if "/" in source.path and "/" not in place.path:
            folder = posixpath.dirname(source.path)
            raise Unclear(
                f"Whether '{place.path}' is to be in '{folder}' is not clear",
                f"rename {source.path} to {folder}/{place.path}, or move {source.path} to ./{place.path}",
            )
        done = f"Renamed '{source.path}' to '{place.path}'"
        renamed = Built([_exactly("move_path", source, place, done)], Subject((place,)))
        return with_looks(renamed, [as_called(source, place)])


def _listed(children: list[Any]) -> tuple[list[Any], Target]:
    """Return sources, which are one path in the shell's form, and their place."""
    sources, place = children
    return sources if isinstance(sources, list) else [sources], place


def _transferred(tool: Tool, sources: list[Any], place: Target, *, into: bool = False) -> Built:
    into = into or len(sources) > 1
    called = [as_called(source, place) for source in paths_of(sources)]
    commands = [_transfer(tool, source, place, into=into) for source in called]
    moved = [_moved(command) for command in commands] if tool == "move_path" else []
    subject = Subject(tuple(target for target in moved if target is not None))
    return with_looks(Built(commands, subject), called)


def _named(tool: Tool, sources: list[Any], place: Target) -> Built:
    """Give one thing exactly this name: it never goes into a directory that has it."""
    [source] = paths_of(sources, 1)
    called = as_called(source, place)
    if place.kind == "folder" and called.kind != "folder":
        raise Unclear(
            f"'{place.path}' is called a directory", f"copy {source.path} to {place.path}/"
        )
    done = f"{DONE[tool]} '{source.path}' to '{place.path}'"
    return with_looks(Built([_exactly(tool, source, place, done)]), [called])


def _transfer(tool: Tool, source: Target, place: Target, *, into: bool = False) -> Command:
    if place.kind is None:
        return Transfer(tool, source.path, place.path, into)
    if place.kind == "file" and into:
        raise Unclear(f"'{place.path}' is called a file")
    path = within(place.path, source.path) if place.kind == "folder" else place.path
    return _exactly(tool, source, Target(path), f"{DONE[tool]} '{source.path}' to '{path}'")


def _moved(command: Command) -> Target | None:
    """Return where something is after a move, if that is known before it."""
    if isinstance(command, OneCall):
        return Target(str(command.arguments["destination"]))
    if isinstance(command, Transfer) and command.into:
        return Target(within(command.place, command.source))
    return None


def _exactly(
    tool: Tool, source: Target, place: Target, done: str, *, overwrite: bool = False
) -> Command:
    arguments: Arguments = {"source": source.path, "destination": place.path}
    return OneCall(tool, arguments | ({"overwrite": True} if overwrite else {}), done)


def _over(tool: Tool, sources: list[Any], place: Target) -> Built:
    [source] = paths_of(sources, 1)
    called = as_called(source, place)
    done = f"{DONE[tool]} '{source.path}' over '{place.path}'"
    return with_looks(Built([_exactly(tool, source, place, done, overwrite=True)]), [called])
