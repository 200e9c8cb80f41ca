"""What the phrases of a command mean: quoted text, paths, pronouns, globs and where to look."""

import re
from dataclasses import replace
from typing import Any

from lark import Token, Transformer, Tree

from orchestrator.planners.rules.commands import Scope
from orchestrator.planners.rules.targets import (
    WORKSPACE,
    Kind,
    Matching,
    Quoted,
    Subject,
    Target,
    Unclear,
    Word,
    looks_like_a_file,
    place_in,
    scope_of,
)

KINDS = {
    "python": "*.py", "markdown": "*.md", "text": "*.txt", "txt": "*.txt", "json": "*.json",
    "csv": "*.csv", "html": "*.html", "css": "*.css", "javascript": "*.js", "typescript": "*.ts",
    "rust": "*.rs", "go": "*.go", "java": "*.java", "xml": "*.xml", "toml": "*.toml",
    "log": "*.log", "shell": "*.sh",
}  # fmt: skip
_ESCAPE = re.compile(r"\\([ntr\\\"'“”\u2018\u2019])")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_ENDS_ODDLY = re.compile(r"[^./][.]$|[:!)]$|^\(")
_IS_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_ARE_WORDS = re.compile(r"\w(?:.*\w)?", re.DOTALL)
"""Text whose ends are ends of words."""
_NO_TEXT = re.compile(
    r"it|them|this|that|these|those|everything|nothing|files?|folders?|text|words?|.*\\.*",
    re.IGNORECASE | re.DOTALL,
)
"""Words that may stand for something else than themselves: pronouns, nouns, escapes."""
_DESCRIBING = re.compile(
    r"parent|above|below|other|another|same|previous|next|first|second|third|last|top|bottom|new|old"
    r"|big|small|large|hidden|empty|current|[0-9]+|one|two|three",
    re.IGNORECASE,
)
"""Words that, beside "file" or "folder", tell which one rather than what it is called."""
# A description of a text is not the text, and what leads on may be about the command: "a list of the
# files", "3 lines", "hello if a.txt exists". Only what has nothing of the kind is taken at its word.
# Prepositions and conjunctions (but "and" and "or") are few: listed are the common ones.
_DESCRIBED = re.compile(
    r"(?:an?|the|all|every|each|my|your|our|its?|his|her|their|some|any|both|this|that|these|those"
    r"|what|whatever|whichever|nothing|everything|something|anything|today|tomorrow|yesterday"
    r"|current|exactly|same|random|list|copy|size|date|time|just|half|no|zero|one|two|three|four"
    r"|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundreds?|thousands?"
    r"|dozens?|few|many|more|several|[0-9]+\s+(?:[0-9]+|[^\W\d]\w*))\b"
    r"|.*\b(?:about|above|across|after|against|along|among|around|as|at|before|behind|below|beneath"
    r"|besides?|between|beyond|by|despite|during|except|for|from|in|inside|into|like|near|of|off|on"
    r"|onto|outside|over|per|plus|than|through|till|to|towards?|under|until|upon|using|via|with"
    r"|within|without|although|assuming|because|but|if|once|otherwise|provided|providing|since|so"
    r"|though|unless|when|whenever|where|wherever|whether|while|else|only|instead|twice|thrice|times"
    r"|here|files?|folders?|director(?:y|ies)|lines?|newlines?|words?|text|code|contents?)\b"
    r"|.*(?:\w['\u2019]s\s+\w|[^\W\d]\.\w|\w\.[^\W\d]|\w/\w|[\\\n])"
    r"|.*\b(?:please|thanks|thank\s+you|now|immediately)\s*$",
    re.IGNORECASE | re.DOTALL,
)


class Phrases(Transformer[Token, Tree[object]]):
    """Turns the phrases of a command into what they mean; the commands themselves it leaves."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject

    def STRING(self, token: Token) -> Quoted:  # noqa: N802  # Lark calls it by the terminal's name
        return Quoted(_ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), token[1:-1]))

    def IT(self, token: Token) -> Target:  # noqa: N802  # as above
        return self._subject.it(str(token))

    def THEM(self, token: Token) -> list[Target] | list[Scope]:  # noqa: N802  # as above
        return self._subject.them(str(token))

    def HERE(self, _token: Token) -> Target:  # noqa: N802  # as above
        return WORKSPACE

    def KIND(self, token: Token) -> str:  # noqa: N802  # as above
        return KINDS.get(token.lower(), f"*{token}")

    def path(self, children: list[str | Target]) -> Target:
        [word] = children
        if isinstance(word, Target):
            return word
        if not word or (not isinstance(word, Quoted) and _ENDS_ODDLY.search(word)):
            raise Unclear(f"'{word}' is no plain path: put it in quotes", "read 'my file.txt'")
        kind: Kind | None = "folder" if word.endswith("/") else None
        return Target(word.rstrip("/") or "/", kind, isinstance(word, Quoted))

    def target(self, children: list[Token | Target]) -> Target:
        [found] = [child for child in children if isinstance(child, Target)]
        for noun in children:
            if isinstance(noun, Token):
                _require_name(found)
                return replace(found, kind="file" if noun.type == "FILE" else "folder")
        return found

    def located(self, children: list[Target]) -> Target:
        target, *places = children
        return _within(target, *places) if places else target

    def taken(self, children: list[Target]) -> list[Target]:
        return [_within(*children)]

    def targets(self, children: list[Any]) -> list[Any]:
        [first, *_] = children
        return first if isinstance(first, list) else children

    def places(self, children: list[Target]) -> list[Target]:
        return children

    def matching(self, children: list[list[str] | Token | Target]) -> Matching:
        [globs] = [child for child in children if isinstance(child, list)]
        places = [child.path for child in children if isinstance(child, Target)]
        if places and len(globs) > 1:
            raise Unclear("Which files are meant is not clear", "find *.py in src, then find *.md")
        scopes = [Scope(path, glob) for path in places or ["."] for glob in globs]
        return Matching(scopes, is_every=any(isinstance(child, Token) for child in children))

    def globs(self, children: list[str]) -> list[str]:
        return [str(child) for child in children]

    def everything(self, children: list[Token | Target]) -> Target:
        return place_in(children)

    def scope(self, children: list[Token | Target | list[Scope]]) -> Scope:
        return scope_of(children[0])

    def name(self, children: list[str]) -> str:
        return children[0]

    def word(self, children: list[str]) -> str:
        return self.value(children)

    def value(self, children: list[str]) -> str:
        [word] = children
        if isinstance(word, Quoted):
            return word
        if _NO_TEXT.fullmatch(word):
            raise Unclear(f"'{word}' may stand for something else: put text in quotes")
        return word

    def whole_word(self, children: list[Any]) -> Word:
        noun, word = children
        is_one = "words" not in noun.lower()
        if not (_IS_WORD if is_one else _ARE_WORDS).fullmatch(word):
            number = "one word" if is_one else "words"
            raise Unclear(f"'{word}' is not {number}", f"replace '{word}' with 'new' in README.md")
        return Word(word)

    def new(self, children: list[str]) -> str:
        [word] = children
        return "" if isinstance(word, Token) and word.type == "NOTHING" else str(word)

    def said(self, children: list[str]) -> str:
        [text] = children
        if not isinstance(text, Quoted) and _DESCRIBED.match(text):
            raise Unclear(
                "What is to be written is not clear: put text in quotes",
                "create file notes.txt with 'text'",
            )
        return str(text).strip() if not isinstance(text, Quoted) else str(text)

    def given(self, children: list[str]) -> str:
        return self.said(children)


def _require_name(target: Target) -> None:
    if not target.is_quoted and _DESCRIBING.fullmatch(target.path):
        raise Unclear(
            f"'{target.path}' describes something: put it in quotes if it is its name",
            "read 'my file.txt'",
        )


def _within(target: Target, place: Target) -> Target:
    if place.kind is None and looks_like_a_file(place.path):
        raise Unclear(
            f"Whether '{target.path}' is a text in '{place.path}' is not clear",
            f"replace '{target.path}' with 'new' in {place.path}"
            f", or search for '{target.path}' in {place.path}",
        )
    return target.beneath(place)
