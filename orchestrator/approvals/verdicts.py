"""What rules say of a call: any denial counts, then the first word on each path that it touches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import takewhile
from typing import Any

from common.approvals.rules import Rule, RuleEffect
from common.errors import ClientError, FieldError, ToolError
from common.files.globs import InvalidPattern, compile_pattern, glob_pattern
from common.files.paths import show
from common.tools import did_you_mean
from orchestrator.approvals.paths import Touched

BLOCK = 25
"""Rules that are asked all at once whether a path is any of theirs; the longest ones fit into a pattern."""
MAX_TOLD = 16
"""Names at the beginning of a glob that a tree is compared with."""
KEPT = 64
"""Sets of rules that stay compiled: a user's are asked before each turn, and compiling takes longest."""
_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Verdict:
    """What rules say of a call, and which of them says it."""

    effect: RuleEffect
    rule: Rule
    is_below: bool = False
    """Whether the call does not name what is ruled, but a tree that may have it."""


def check_rules(rules: Sequence[Rule], tools: Iterable[str] = ()) -> None:
    """Raise `invalid_request` for a rule that would rule nothing, in silence: its path is no glob, or no
    tool has its name. Without `tools`, those there are, nobody can tell the latter.
    """
    known = frozenset(tools)
    for number, rule in enumerate(rules):
        try:
            _Compiled(rule)
        except (InvalidPattern, ToolError) as error:
            why = error.detail if isinstance(error, ToolError) else str(error)
            raise _no_rule(number, "path", f"is no glob: {why}") from error
        if known and rule.tool is not None and rule.tool not in known:
            raise _no_rule(number, "tool", "is none of those there are", _meant(rule.tool, known))


def _no_rule(number: int, field: str, why: str, hint: str | None = None) -> ClientError:
    fields = [FieldError(field=f"rules.{number}.{field}", message=why)]
    detail = f"The {field} of rule {number + 1} {why}"
    return ClientError("invalid_request", detail, hint=hint, fields=fields)


def _meant(tool: str, known: Iterable[str]) -> str:
    return did_you_mean(tool, known) or "GET /v1/tools names them; leave it out for any tool."


class RuleBook:
    """Rules in layers, those of the first before those of the second: remembered, session's, user's."""

    def __init__(self, layers: Sequence[Sequence[Rule]]) -> None:
        self._rules = [_Compiled(rule) for layer in layers for rule in layer]
        self._by_tool: dict[str, tuple[_Series, _Series]] = {}

    def verdict(self, tool: str, touched: Sequence[Touched]) -> Verdict | None:
        """Return what holds for a call; None where no rule says anything, and the run's policy counts.

        What asks for one path of a call asks for the call; it is allowed where each path is.
        """
        denying, others = self._about(tool)
        denial = next(filter(None, map(denying.first, touched)), None)
        if denial is not None:
            return denial
        words = [others.first(path) for path in touched]
        asking = next((word for word in words if word is not None and word.effect == "ask"), None)
        if asking is not None or None in words or not words:
            return asking
        return words[0]

    def _about(self, tool: str) -> tuple["_Series", "_Series"]:
        """Return the rules of a tool that deny, and its others."""
        if tool not in self._by_tool:
            rules = [it for it in self._rules if it.rule.tool in (None, tool)]
            denying = [it for it in rules if it.rule.effect == "deny"]
            others = [it for it in rules if it.rule.effect != "deny"]
            self._by_tool[tool] = _Series(denying), _Series(others)
        return self._by_tool[tool]


@lru_cache(maxsize=KEPT)
def book_of(layers: tuple[tuple[Rule, ...], ...]) -> RuleBook:
    """Return the book of these rules, which several may ask at a time: for a thread, when it is new."""
    return RuleBook(layers)


class _Compiled:
    """A rule, ready to be asked about many paths."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        glob = rule.path or "**"
        covering = _enclosing(glob, is_strict=rule.effect == "allow")
        may_be_below = [] if rule.effect == "allow" else _above(glob)
        self.covering = glob_pattern(covering)
        """Takes an enclosed path that is ruled, with all that is in it."""
        self.reaching = glob_pattern(covering, *may_be_below)
        """Takes an enclosed tree in which something may be ruled: nobody knows here what lies in it.
        That is enough to be asked for, or denied; a tree is allowed as a whole, or not at all."""
        self._covers = compile_pattern(self.covering).fullmatch

    def verdict(self, text: str, *, is_tree: bool) -> Verdict | None:
        """Return what the rule says of an enclosed path; None for nothing."""
        if self._covers(text):
            return Verdict(self.rule.effect, self.rule)
        if is_tree and self._reaches(text):
            return Verdict(self.rule.effect, self.rule, is_below=True)
        return None

    @cached_property
    def _reaches(self) -> Any:
        return compile_pattern(self.reaching).fullmatch


class _Series:
    """Rules in their order; most paths are of none, and one look at a block of them shows that."""

    def __init__(self, rules: Sequence[_Compiled]) -> None:
        self._blocks = [
            _Block(rules[start : start + BLOCK]) for start in range(0, len(rules), BLOCK)
        ]

    def first(self, touched: Touched) -> Verdict | None:
        """Return what the first rule says that is about a path; None where none is."""
        text = f"/{show(b'/'.join(touched.parts))}/"
        said = (block.first(text, is_tree=touched.is_tree) for block in self._blocks)
        return next(filter(None, said), None)


class _Block:
    def __init__(self, rules: Sequence[_Compiled]) -> None:
        self._rules = rules
        self._covering = _any_of([rule.covering for rule in rules])
        self._reaching = _any_of([rule.reaching for rule in rules])

    def first(self, text: str, *, is_tree: bool) -> Verdict | None:
        """Return what the first of the rules says of an enclosed path."""
        if not (self._reaching if is_tree else self._covering).fullmatch(text):
            return None
        said = (rule.verdict(text, is_tree=is_tree) for rule in self._rules)
        return next(filter(None, said), None)


def _any_of(patterns: Sequence[str]) -> Any:
    return compile_pattern("|".join(f"(?:{pattern})" for pattern in patterns))


def _enclosing(glob: str, *, is_strict: bool) -> str:
    """Return the glob of paths that a rule's glob matches, and of all in them, each between slashes.

    `docs/**` is `docs` as well; but `*/**`, where it permits something, is no file beside directories.
    """
    stem = glob.removesuffix("/**")
    is_wild = stem != glob and bool(_WILD & set(stem.rpartition("/")[2]))
    rest = "?**" if is_strict and is_wild else "**"
    return f"/{stem}/{rest}" if "/" in glob else f"**/{stem}/{rest}"


def _above(glob: str) -> list[str]:
    """Return globs of the directories in which a path may lie that a rule's glob matches."""
    if "/" not in glob:
        return ["**"]  # a name, at any depth
    names = glob.split("/")
    told = list(takewhile(lambda name: "**" not in name and "[" not in name, names[:MAX_TOLD]))
    above = [f"/{'/'.join(names[:depth])}/" for depth in range(len(told) + 1)]
    return above if len(told) == len(names) else [*above, f"{above[-1].rstrip('/')}/**"]
