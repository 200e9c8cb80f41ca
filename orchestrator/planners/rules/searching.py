"""The sentences that search for text: where, and for what."""

from typing import Any

from lark import Token, Transformer

from orchestrator.planners.rules.commands import Arguments, Scope, Search
from orchestrator.planners.rules.looking import checked
from orchestrator.planners.rules.targets import (
    Built,
    Quoted,
    Unclear,
    looks_like_a_file,
    place_in,
    scope_of,
)


class Searching(Transformer[Token, Built]):
    """Builds the commands of the grammar's rules that have their names."""

    def search(self, children: list[Any]) -> Built:
        text, *scopes = children
        if not isinstance(text, Quoted) and ("*" in text or looks_like_a_file(text)):
            raise Unclear(
                f"'{text}' could be a name or a text",
                f"find {text}, or search for '{text}'",
            )
        return _searched(text, scopes[0] if scopes else Scope())

    def search_containing(self, children: list[Any]) -> Built:
        return _searched(children[-1], Scope(place_in(children).path))

    def search_in(self, children: list[Any]) -> Built:
        return _searched(children[1], Scope(place_in(children).path))

    def search_within(self, children: list[Any]) -> Built:
        return _searched(children[1], scope_of(children[0]))

    def grep(self, children: list[Any]) -> Built:
        return _searched(children[0], scope_of(children[1]))


def _searched(text: str, scope: Scope) -> Built:
    if not text:
        raise Unclear("There is no text to search for")
    arguments: Arguments = {"pattern": str(text), "literal": True, "limit": 1000}
    search = Search(
        "search_files", arguments | checked(scope).arguments(), f"Found '{text}' in {scope}"
    )
    return Built([search])
