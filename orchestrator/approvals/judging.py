"""Judges the calls of a turn: each is made, asks a person, is denied, or cannot be judged yet."""

from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import JsonValue

from common.approvals.reviews import Policy
from common.approvals.rules import Rule
from common.context import Access
from common.errors import Problem, ToolError
from common.plans import TurnCall
from common.tools import Tools
from orchestrator.approvals.paths import EVERYTHING, Touched, touched_by
from orchestrator.approvals.policy import answer, nothing_asks
from orchestrator.approvals.verdicts import book_of
from orchestrator.store.records import RuleLayers

_NARROWER = "Name a narrower directory, or single files by a tool that takes no directory."


@dataclass(frozen=True)
class Judgement:
    """What becomes of a call, and what it touches; `later`: that depends on what it refers to."""

    answer: Literal["make", "ask", "deny", "later", "fail"]
    touched: list[Touched]
    rule: Rule | None = None
    """The rule that says so, where one does."""
    is_below: bool = False
    """Whether the call does not name what the rule is about, but a tree that may have it."""

    def denial(self, request_id: str | None) -> Problem:
        """Return the error of a call that is denied; it says what may be called instead."""
        path = None if self.rule is None else self.rule.path
        tool = None if self.rule is None else self.rule.tool
        about = "it" if path is None else f"'{path}'"
        where = ", and nobody knows whether that lies in the tree that is named" * self.is_below
        return ToolError(
            "denied_by_rule",
            f"A rule denies {'every tool' if tool is None else tool} on {about}{where}",
            hint=_NARROWER if self.is_below else None,
            path=path,
            tool=tool,
        ).problem("orchestrator", request_id)


class Terms(Protocol):
    """On which terms calls are made: a run's document says so, or whoever calls without one."""

    @property
    def approval(self) -> Policy:
        """What asks a person where no rule says anything."""

    @property
    def access(self) -> Access:
        """Whether changes can be made at all."""


class Judge:
    """Judges by a policy and the rules of one moment."""

    def __init__(self, terms: Terms, layers: RuleLayers, tools: Tools) -> None:
        self._policy = terms.approval
        self._access = terms.access
        self._has_rules = any(layers.in_order)
        self._book = book_of(tuple(map(tuple, layers.in_order)))
        self._tools = tools

    @property
    def is_open(self) -> bool:
        """Whether nothing asks, and nothing is denied, whatever it is."""
        return not self._has_rules and nothing_asks(self._policy, self._access)

    def known(self, call: TurnCall) -> TurnCall:
        """Return a call with the effect that its tool has: no tools may have been known when it was decided."""
        spec = self._tools.get(call.tool)
        if spec is None or spec.effect == call.effect:
            return call
        return call.model_copy(update={"effect": spec.effect})

    def of(
        self, call: TurnCall, arguments: dict[str, JsonValue] | None, *, is_first: bool
    ) -> Judgement:
        """Judge a call; `arguments` as it would be made with them, None as long as they are not known.

        Then it is made or else judged later: it may be about anything. `is_first`: it is one of its
        run's first turn. A patch may be megabytes, and rules are many: this is for a thread.
        """
        if arguments is None:
            whatever = self._of(call, [EVERYTHING], is_first=is_first)
            return whatever if whatever.answer == "make" else Judgement("later", [])
        try:
            touched = list(touched_by(self._tools.get(call.tool), arguments))
        except ToolError:  # its tool refuses it as well
            return Judgement("fail", [])
        return self._of(call, touched, is_first=is_first)

    def _of(self, call: TurnCall, touched: list[Touched], *, is_first: bool) -> Judgement:
        verdict = self._book.verdict(call.tool, touched)
        said = answer(self._policy, self._access, verdict, call.effect, touched, is_first=is_first)
        if verdict is None:
            return Judgement(said, touched)
        return Judgement(said, touched, verdict.rule, verdict.is_below)
