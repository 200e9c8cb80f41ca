"""What rules say of a call: any denial counts, then the first word on each path that it touches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from common.approvals.rules import Rule, RuleEffect
from common.errors import ClientError, FieldError, ToolError
from common.files.globs import InvalidPattern, compile_glob
from common.files.paths import Parts, parse, show
from orchestrator.approvals.paths import Touched

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Verdict:
    """What rules say of a call, and which of them says it."""

    effect: RuleEffect
    rule: Rule


def check_rules(rules: Sequence[Rule]) -> None:
    """Raise `invalid_request` for a path that is no glob: it would rule nothing, in silence."""
    for number, rule in enumerate(rules):
        try:
            _Compiled(rule)
        except (InvalidPattern, ToolError) as error:
            why = error.detail if isinstance(error, ToolError) else str(error)
            fields = [FieldError(field=f"rules.{number}.path", message=why)]
            detail = f"The path of rule {number + 1} is no glob: {why}"
            raise ClientError("invalid_request", detail, fields=fields) from error


class RuleBook:
    """Rules in layers, those of the first before those of the second: remembered, session's, user's."""

    def __init__(self, layers: Sequence[Sequence[Rule]]) -> None:
        self._rules = [_Compiled(rule) for layer in layers for rule in layer]

    def verdict(self, tool: str, touched: Sequence[Touched]) -> Verdict | None:
        """Return what holds for a call; None where no rule says anything, and the run's policy counts.

        What asks for one path of a call asks for the call; it is allowed where each path is.
        """
        rules = [rule for rule in self._rules if rule.is_for(tool)]
        if not rules:
            return None
        for rule in rules:
            if rule.effect == "deny" and any(map(rule.reaches, touched)):
                return rule.verdict
        words = [next(_said(rules, path), None) for path in touched]
        asking = next((word for word in words if word is not None and word.effect == "ask"), None)
        if asking is not None or None in words or not words:
            return asking
        return words[0]


def _said(rules: Sequence["_Compiled"], touched: Touched) -> Iterator[Verdict]:
    """Yield what rules say of one path, in their order; permission for a tree has to cover all of it."""
    for rule in rules:
        is_about = rule.covers if rule.effect == "allow" else rule.reaches
        if is_about(touched):
            yield rule.verdict


class _Compiled:
    """A rule, ready to be asked about many paths."""

    def __init__(self, rule: Rule) -> None:
        self.verdict = Verdict(rule.effect, rule)
        self.effect = rule.effect
        self._tool = rule.tool
        glob = rule.path
        # `docs/**` is `docs` with all that is in it
        self._pattern: Any = None if glob is None else compile_glob(glob.removesuffix("/**"))
        self._fixed = () if glob is None else _fixed(glob)

    def is_for(self, tool: str) -> bool:
        """Tell whether the rule is about a tool."""
        return self._tool in (None, tool)

    def covers(self, touched: Touched) -> bool:
        """Tell whether all that is touched is ruled: the path itself, or a directory that it is in."""
        if self._pattern is None:
            return True
        parts = touched.parts
        above = [parts[:depth] for depth in range(len(parts), 0, -1)] or [parts]
        return any(self._pattern.fullmatch(show(b"/".join(path))) for path in above)

    def reaches(self, touched: Touched) -> bool:
        """Tell whether anything of what is touched may be ruled.

        Of a tree nobody knows here what lies in it: a glob that may match something there does.
        """
        return self.covers(touched) or (touched.is_tree and self._may_be_below(touched.parts))

    def _may_be_below(self, parts: Parts) -> bool:
        shared = min(len(parts), len(self._fixed))
        return parts[:shared] == self._fixed[:shared]


def _fixed(glob: str) -> Parts:
    """Return the names that a glob begins with: every path that it matches lies there."""
    if "/" not in glob:
        return ()  # a name, at any depth
    fixed = "/".join(takewhile(lambda name: not _WILD & set(name), glob.split("/")))
    return parse(fixed) if fixed else ()
