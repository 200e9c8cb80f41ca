"""What sentences name: paths, globs, and what "it" and "them" mean."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lark import Token

from orchestrator.planners.rules.commands import Command, Scope

_EXTENSION = re.compile(r"\.[^\W\d_]\w*$")

Kind = Literal["file", "folder"]


class Unclear(Exception):
    """What a sentence asks for is not clear; `form` says it clearly, None: the verb's own form does."""

    def __init__(self, detail: str, form: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.form = form


class Quoted(str):
    """Text that stood in quotes: taken as it is."""

    __slots__ = ()


class Word(str):
    """Text that is meant only where it is a word of its own."""

    __slots__ = ()


@dataclass(frozen=True)
class Target:
    """A path, and what it was said to be (a slash at its end says that it is a folder)."""

    path: str
    kind: Kind | None = None
    is_quoted: bool = False

    def beneath(self, folder: "Target") -> "Target":
        """Return it in a folder; raise when that is called a file."""
        if folder.kind == "file":
            raise Unclear(f"'{folder.path}' is called a file: nothing is in it")
        return self if folder.path == "." else replace(self, path=f"{folder.path}/{self.path}")


@dataclass(frozen=True)
class Matching:
    """Files that match globs; `is_every` tells whether all of them were asked for in so many words."""

    scopes: list[Scope]
    is_every: bool


@dataclass(frozen=True)
class Subject:
    """What the last command was about: "it" is its only target, "them" all of them."""

    targets: tuple[Target, ...] = ()
    scope: Scope | None = None
    """Files that match a glob."""

    def it(self, said: str) -> Target:
        """Return what "it" means; raise when that is nothing, or more than one thing."""
        if len(self.targets) != 1:
            raise Unclear(f"What '{said}' means is not clear here")
        return self.targets[0]

    def them(self, said: str) -> "list[Target] | list[Scope]":
        """Return what "them" means; raise when that is not several things."""
        if self.scope is not None:
            return [self.scope]
        if len(self.targets) < 2:
            raise Unclear(f"What '{said}' means is not clear here")
        return list(self.targets)


WORKSPACE = Target(".", "folder")
NOTHING = Subject()
"""What "it" means at first."""


@dataclass(frozen=True)
class Built:
    """The commands of a sentence, and what "it" and "them" mean after it: nothing, unless given."""

    commands: Sequence[Command]
    subject: Subject = NOTHING


def looks_like_a_file(path: str) -> bool:
    """Tell whether a path ends like a file's: in a dot and letters."""
    return _EXTENSION.search(path) is not None


def scope_of(where: object) -> Scope:
    """Return where to look: beneath a target, in files that match, or everywhere."""
    if isinstance(where, Target):
        return Scope(where.path)
    if isinstance(where, Token):
        return Scope()
    scopes = where.scopes if isinstance(where, Matching) else where
    if not isinstance(scopes, list) or len(scopes) != 1 or not isinstance(scopes[0], Scope):
        raise Unclear("Only one place can be named")
    return scopes[0]


def paths_of(targets: Sequence[Any], at_most: int | None = None) -> list[Target]:
    """Return targets that have paths of their own; a glob has none."""
    paths = [target for target in targets if isinstance(target, Target)]
    if len(paths) < len(targets) or len(paths) > (at_most or len(paths)):
        raise Unclear("This is done to one path at a time")
    return paths


def place_in(children: Sequence[Any]) -> Target:
    """Return the first target among what a phrase came to; the workspace when there is none."""
    return next((child for child in children if isinstance(child, Target)), WORKSPACE)
