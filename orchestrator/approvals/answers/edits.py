"""Tells what of a plan that a person sends is an edit, and whether each can be made."""

import json
from collections.abc import Iterator, Mapping, Set
from itertools import islice

from common.approvals.reviews import EditedCall, PlanReplace
from common.errors import MAX_FIELDS, ClientError, FieldError
from common.plans import PlanStep, TurnCall
from common.tools import Tools
from orchestrator.approvals.answers.saying import asked
from orchestrator.approvals.dry_running import Arguments
from orchestrator.approvals.showing import shown_arguments, with_outcome
from orchestrator.planners.argument_check import ArgumentCheck, Exact, Place, field_error
from orchestrator.planners.plan.checking import errors_of
from orchestrator.planners.plan.patience import Patient
from orchestrator.store.approvals.reviews import WaitingTurn
from orchestrator.store.records import ReviewedCall

_OPEN = ("asks", "approved")
"""What a call is whose arguments may still be replaced."""


def edits_of(waiting: WaitingTurn, body: PlanReplace, tools: Tools) -> dict[int, Arguments]:
    """Return the arguments that are others than those that wait, by the number of their call.

    A plan never adds a call, and never changes which tool one is of. Raises `invalid_plan` with the
    fields to correct. A schema may be large, and a plan too: for a thread.
    """
    plan = _Plan(waiting, tools)
    fields = list(islice(plan.errors(body), MAX_FIELDS))
    if fields:
        names = ", ".join(field.field for field in fields)
        raise ClientError("invalid_plan", f"Not valid: {names}", fields=fields)
    return {call.n: call.arguments for call in body.calls if plan.is_edit(call)}


class _Plan:
    """The calls of the turn that waits, and what they are checked by."""

    def __init__(self, waiting: WaitingTurn, tools: Tools) -> None:
        turn, review = asked(waiting)
        self._calls = {call.n: call for call in turn.calls}
        self._entries: Mapping[int, ReviewedCall] = review.by_number
        self._made = {step.n: step for step in with_outcome(waiting.steps)}
        self._literal = ArgumentCheck(tools, Exact)
        self._referring = ArgumentCheck(tools, Patient)

    def is_edit(self, edited: EditedCall) -> bool:
        """Tell whether a call would have other arguments than it is shown with."""
        n = edited.n
        now = shown_arguments(self._calls[n], self._entries[n], self._made.get(n))
        return _as_sent(edited.arguments) != _as_sent(now)

    def errors(self, body: PlanReplace) -> Iterator[FieldError]:
        """Yield what is wrong with a plan, in its order."""
        seen: set[int] = set()
        for number, edited in enumerate(body.calls):
            where: Place = ("calls", number)
            if edited.n in seen:
                yield field_error((*where, "n"), "the plan has this step twice")
            seen.add(edited.n)
            yield from self._errors_of(edited, where)

    def _errors_of(self, edited: EditedCall, where: Place) -> Iterator[FieldError]:
        call = self._calls.get(edited.n)
        if call is None or edited.n not in self._entries:
            yield field_error((*where, "n"), "the turn has no such step, and none can be added")
            return
        yield from _differences(edited, call, where)
        if not self.is_edit(edited):
            return
        state = "made" if edited.n in self._made else self._entries[edited.n].state
        if state not in _OPEN:
            yield field_error((*where, "arguments"), f"the call is {state}: they stay as they are")
            return
        yield from self._faults(edited, call, where)

    def _faults(self, edited: EditedCall, call: TurnCall, where: Place) -> Iterator[FieldError]:
        """Yield what the tool would refuse; references are to what is made, or goes before."""
        if call.has_references:
            step = PlanStep(name=call.name, tool=call.tool, arguments=edited.arguments)
            yield from errors_of(step, where, self._referring, self._before(call))
        elif call.tool in self._literal.tools:
            place = (*where, "arguments")
            yield from self._literal.errors(call.tool, edited.arguments, place)
        else:
            yield field_error((*where, "tool"), "there is no such tool")

    def _before(self, call: TurnCall) -> Set[str]:
        made = {step.name for step in self._made.values()}
        return made | {other.name for other in self._calls.values() if other.n < call.n}


def _as_sent(arguments: Arguments) -> str:
    """Return arguments in a form that tells `1` and `true` apart, which are equal here."""
    return json.dumps(arguments, sort_keys=True)


def _differences(edited: EditedCall, call: TurnCall, where: Place) -> Iterator[FieldError]:
    for name in ("name", "tool"):
        given = getattr(edited, name)
        if given is not None and given != getattr(call, name):
            yield field_error((*where, name), "it stays as it is: only arguments can be replaced")
