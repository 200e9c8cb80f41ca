"""Makes of a planner's decision the turn that is going to be stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

from common.plans import Message, TurnCall
from common.tools import Tools
from orchestrator.engine.state import RunState
from orchestrator.planners.decisions import (
    Ask,
    Call,
    CallTools,
    Compact,
    Decision,
    Finish,
    Reconsider,
)
from orchestrator.store.records import StoredTurn


def draft(
    decision: Decision,
    run: RunState,
    tools: Tools,
    decided_at: datetime,
    messages: Sequence[Message] = (),
    workspace_instructions: str | None = None,
) -> StoredTurn:
    """Return a run's next turn; `messages` are those that its planner was shown for it.

    A decision may hold a thousand calls: this is for a thread.
    """
    said: dict[str, Any] = {}
    if (answered := decision.answered) is not None:
        said = {
            "usage": answered.usage,
            "model": answered.model,
            "message": answered.message,
            "text": answered.text,
        }
    return StoredTurn(
        t=run.next_turn,
        decided_at=decided_at,
        messages=list(messages),
        workspace_instructions=workspace_instructions,
        **said,
        **_content(decision, run, tools),
    )


def _content(decision: Decision, run: RunState, tools: Tools) -> dict[str, Any]:
    match decision:
        case CallTools(calls):
            return {"calls": _numbered(calls, run, tools)}
        case Finish(answer):
            return {"answer": answer}
        case Ask(question):
            return {"question": question, "calls": _numbered(decision.calls, run, tools)}
        case Reconsider(feedback):
            return {"feedback": feedback}
        case Compact(covers, summary):
            return {"covers": covers, "summary": summary}
        case _:
            assert_never(decision)


def _numbered(calls: Sequence[Call], run: RunState, tools: Tools) -> list[TurnCall]:
    return [
        TurnCall(
            n=n,
            name=call.name,
            tool=call.tool,
            arguments=call.arguments,
            on_error=call.on_error,
            effect=tools[call.tool].effect if call.tool in tools else "write",
            has_references=call.has_references,
            error=(
                None
                if call.error is None
                else call.error.problem("orchestrator", run.lease.run.request_id)
            ),
        )
        for n, call in enumerate(calls, run.next_number)
    ]
