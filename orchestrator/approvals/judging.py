"""Judges the calls of a turn: each is made, asks a person, is denied, or cannot be judged yet."""

from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from common.approvals.rules import Rule
from common.errors import Problem, ToolError
from common.plans import TurnCall
from common.tools import Tools
from orchestrator.approvals.paths import Touched, touched_by
from orchestrator.approvals.policy import answer
from orchestrator.approvals.verdicts import RuleBook
from orchestrator.store.records import RuleLayers, RunDocument


@dataclass(frozen=True)
class Judgement:
    """What becomes of a call, and what it touches; `later`: that depends on what it refers to."""

    answer: Literal["make", "ask", "deny", "later", "fail"]
    touched: list[Touched]
    rule: Rule | None = None
    """The rule that says so, where one does."""

    def denial(self, request_id: str | None) -> Problem:
        """Return the error of a call that is denied."""
        rule = self.rule
        about = "it" if rule is None or rule.path is None else f"'{rule.path}'"
        tool = None if rule is None else rule.tool
        return ToolError(
            "denied_by_rule",
            f"A rule denies {'every tool' if tool is None else tool} on {about}",
            path=None if rule is None else rule.path,
            tool=tool,
        ).problem("orchestrator", request_id)


class Judge:
    """Judges by a run's policy and the rules of one moment."""

    def __init__(self, document: RunDocument, layers: RuleLayers, tools: Tools) -> None:
        self._policy = document.approval
        self._book = RuleBook(layers.in_order)
        self._tools = tools
        self.is_open = self._policy == "never" and not any(layers.in_order)
        """Whether nothing asks, and nothing is denied, whatever it is."""

    def of(
        self, call: TurnCall, arguments: dict[str, JsonValue] | None, *, is_first: bool
    ) -> Judgement:
        """Judge a call; `arguments` as it would be made with them, None as long as they are not known.

        `is_first`: it is one of its run's first turn. A patch may be megabytes: this is for a thread.
        """
        if arguments is None:
            return Judgement("later", [])
        try:
            touched = list(touched_by(self._tools.get(call.tool), arguments))
        except ToolError:  # its tool refuses it as well
            return Judgement("fail", [])
        verdict = self._book.verdict(call.tool, touched)
        said = answer(self._policy, verdict, call.effect, touched, is_first=is_first)
        return Judgement(said, touched, None if verdict is None else verdict.rule)
