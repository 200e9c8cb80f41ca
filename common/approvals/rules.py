"""Rules: what may be done without asking, what has to be asked for, and what is not done at all."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from common.files.paths import parse, show, show_path, unescaped
from common.models import Lenient, Strict
from common.tools import ToolName

MAX_RULES = 200
MAX_GLOB = 1024
MAX_WILD = 32
"""Wildcards of a glob: what is compiled of it grows with each, and many rules are asked at once."""
RuleEffect = Literal["allow", "ask", "deny"]

_TOKEN = re.compile(r"((?:\\x[0-9a-fA-F]{2}|\\\\)+)|(\[!?\]?[^\]]*\])|(.)", re.DOTALL)
"""Escapes, as many as follow one another; a set; any other character."""
_ALTERNATIVES = re.compile(r"\{(?!\])[^{}]*,[^{}]*\}")
_WILD = re.compile(r"\*+|\?|\[")
_SPECIAL = re.compile(r"[*?\[{]")


def glob_of(path: str) -> str:
    """Return the glob of one path, as tools show it, with all that is in it, and of no other.

    A file may be called `*`. Raises `path_not_allowed` for what is no path.
    """
    glob = _SPECIAL.sub(r"[\g<0>]", show_path(parse(path)))
    return "**" if glob == "." else glob if "/" in glob else f"{glob}/**"


def _plain(glob: str) -> str:
    """Return a glob as paths are shown; refuse one that no path could match, for it would deny nothing."""
    shown = _TOKEN.sub(_as_shown, glob)
    names = [name for name in shown.split("/") if name not in ("", ".")]
    if not names or shown.startswith("/") or ".." in names:
        raise ValueError("it is relative to the workspace, without '..'; '**' is all of it")
    if _ALTERNATIVES.search(shown):
        raise ValueError("it has no alternatives: make a rule of each; a brace itself is '[{]'")
    plain = "/".join(names)
    if len(plain) > MAX_GLOB:
        raise ValueError(f"as paths are shown it has more than {MAX_GLOB} characters")
    if len(_WILD.findall(plain)) > MAX_WILD:
        raise ValueError(f"it has more than {MAX_WILD} wildcards")
    return plain


def _as_shown(token: re.Match[str]) -> str:
    escaped, of_characters, one = token.groups()
    if of_characters is not None:
        return _as_set(of_characters)
    if one == "\\":
        raise ValueError(r"a backslash is written as '\\', another byte as '\xNN'")
    raw = unescaped(escaped or one)
    if b"\0" in raw:
        raise ValueError("no path has a NUL")
    # what was escaped stands for itself
    return show(raw) if escaped is None else _SPECIAL.sub(r"[\g<0>]", show(raw))


def _as_set(written: str) -> str:
    if "/" in written or "\\" in written or not written.isprintable():
        raise ValueError(f"{written!r}: a set is of printable characters, without '/' and '\\'")
    return written.replace("[^", "[!", 1)


PathGlob = Annotated[str, Field(min_length=1, max_length=MAX_GLOB), AfterValidator(_plain)]
"""Paths of the workspace, as tools show them, each with all that is in it: `*.pem` and `secrets` at any
depth, `docs/**` where it stands, `docs/**/*.md`. `?` and `[…]` stand for a character as it is shown, of
which a byte as `\\xff` has four. Names are bytes: other bytes that look alike are another name."""


class Rule(Strict):
    """What holds for calls of a tool (null: of any) that touch a path (null: any)."""

    tool: ToolName | None = None
    path: PathGlob | None = None
    effect: RuleEffect


RuleList = Annotated[list[Rule], Field(max_length=MAX_RULES)]
"""In order: of those that match a path the first one counts, but any `deny` wins."""


class RulesReplace(Strict):
    """All rules of a user: they take the place of those there were."""

    rules: RuleList


class Rules(Lenient):
    """A user's rules; `revision` is their ETag."""

    rules: list[Rule] = []
    revision: int = 0
