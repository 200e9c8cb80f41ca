"""The sentences that change nothing: which commands list, read and find."""

import re
from typing import Any, Literal

from lark import Token, Transformer

from common.files.globs import compile_glob
from orchestrator.planners.rules.commands import (
    Arguments,
    Command,
    ListDirectory,
    ReadFile,
    Scope,
)
from orchestrator.planners.rules.matches import Each, Find, read_arguments
from orchestrator.planners.rules.targets import (
    WORKSPACE,
    Built,
    Quoted,
    Subject,
    Target,
    Unclear,
    looks_like_a_file,
    place_in,
)
from orchestrator.planners.rules.transfers import Inspect

_NUMBER = re.compile(r"[0-9]{1,9}")
_LITERAL = {"[": "[[]", "*": "[*]", "?": "[?]"}
MAX_GLOB = 1000
"""Characters: as many as the tools take."""


class Looking(Transformer[Token, Built]):
    """Builds the commands of the grammar's rules that have their names."""

    def list_here(self, _children: list[Any]) -> Built:
        return _listed(WORKSPACE)

    def list_places(self, children: list[Any]) -> Built:
        return Built([_list(place) for place in children[0]])

    def list_entries(self, children: list[Any]) -> Built:
        entries, *places = children
        if len(places) == 1 and len(places[0]) == 1 and not entries.lower().endswith("s"):
            return self.inspect(places[0])  # "everything in README.md": what it says
        return self.list_places(places or [[WORKSPACE]])

    def list_files(self, children: list[Any]) -> Built:
        return _listed(place_in(children))

    def list_folders(self, children: list[Any]) -> Built:
        return Built([_list(place_in(children), only_folders=True)])

    def inspect(self, children: list[Any]) -> Built:
        [place] = children
        if place.kind == "folder":
            return _listed(place)
        return Built([Inspect(place.path)], Subject((place,)))

    def read(self, children: list[Any]) -> Built:
        commands = [_read(target) for target in children[0]]
        targets = tuple(target for target in children[0] if isinstance(target, Target))
        return Built(commands, Subject(targets))

    def read_lines(self, children: list[Any]) -> Built:
        lines, target = children
        numbers = [int(number) for number in _NUMBER.findall(str(lines))]
        first = 1 if "first" in lines.lower() else numbers[0]
        count = numbers[-1] - first + 1
        if first < 1 or count < 1:
            raise Unclear("Which lines are meant is not clear", "show lines 3 to 9 of README.md")
        window: Arguments = {"path": target.path, "start_line": first, "max_lines": count}
        return Built([ReadFile("read_file", window, f"Read '{target.path}'")], Subject((target,)))

    def read_matching(self, children: list[Any]) -> Built:
        return Built([Each(checked(scope), "read_file") for scope in children[0].scopes])

    def find(self, children: list[Any]) -> Built:
        scopes = children[0].scopes
        commands = [Find(checked(scope)) for scope in scopes]
        return Built(commands, Subject(scope=scopes[0] if len(scopes) == 1 else None))

    def find_all(self, children: list[Any]) -> Built:
        return Built([Find(Scope(place_in(children).path, "*"))])

    def find_named(self, children: list[Any]) -> Built:
        return _found_by_name(children[1], place_in(children))

    def find_named_in(self, children: list[Any]) -> Built:
        return _found_by_name(children[2], place_in(children))

    def find_folders(self, children: list[Any]) -> Built:
        scope = Scope(place_in(children).path, _glob(children[1]))
        return Built([Find(checked(scope), "directory")])

    def find_ending(self, children: list[Any]) -> Built:
        scope = Scope(place_in(children).path, f"*{_exact(children[1])}")
        return Built([Find(scope)], Subject(scope=scope))

    def find_extension(self, children: list[Any]) -> Built:
        entries, extension, *place = children
        return self.find_ending([entries, f".{extension.removeprefix('.')}", *place])

    def find_one(self, children: list[Any]) -> Built:
        target = children[0]
        if target.kind is None and not looks_like_a_file(target.path):
            raise Unclear(
                f"'{target.path}' could be a name or a text",
                f"find files named {target.path}, or search for '{target.path}'",
            )
        name = Quoted(target.path) if target.is_quoted else target.path
        scope = checked(Scope(place_in(children[1:]).path, _glob(name)))
        kind: Literal["file", "directory"] = "directory" if target.kind == "folder" else "file"
        return Built([Find(scope, kind, is_name=not has_wildcard(name))])


def _listed(place: Target) -> Built:
    return Built([_list(place)])


def _list(place: Target, *, only_folders: bool = False) -> Command:
    arguments: Arguments = {"path": place.path, "limit": 1000}
    return ListDirectory("list_directory", arguments, f"Listed {Scope(place.path)}", only_folders)


def _read(what: Target | Scope) -> Command:
    if isinstance(what, Scope):
        return Each(what, "read_file")
    if what.kind == "folder":
        return _list(what)
    return ReadFile("read_file", read_arguments(what.path), f"Read '{what.path}'")


def _found_by_name(name: str, place: Target) -> Built:
    scope = Scope(place.path, _glob(name))
    is_name = not has_wildcard(name)
    return Built([Find(checked(scope), is_name=is_name)], Subject(scope=scope))


def _glob(name: str) -> str:
    """Return a name as a glob; without a wildcard of its own a quoted one means just itself."""
    return str(name) if not isinstance(name, Quoted) or has_wildcard(name) else _exact(name)


def _exact(name: str) -> str:
    return "".join(_LITERAL.get(char, char) for char in name)


def has_wildcard(name: str) -> bool:
    """Tell whether a name is a pattern."""
    return "*" in name or "?" in name


def checked(scope: Scope) -> Scope:
    """Return a scope whose glob is valid; raise when it is not, or leads out of the workspace."""
    glob = (scope.glob or "*").removeprefix("./")
    if glob.startswith("/") or ".." in glob.split("/"):
        raise Unclear(f"'{glob}' leads out of the workspace", "find *.py in src")
    if len(glob) > MAX_GLOB:
        raise Unclear(f"A pattern has {MAX_GLOB} characters at most", "find *.py in src")
    compile_glob(glob)
    return scope if scope.glob is None else Scope(scope.path, glob)
