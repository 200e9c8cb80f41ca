"""Approval in the middle of a call: what the client's user is shown, and what they have said.

The client gets a form and a state that it cannot read or change (`protocol.py` seals it for this user,
workspace, tool and these arguments), and sends the call again with both.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    InputResponses,
)
from pydantic import JsonValue

from common.approvals.reviews import Preview
from common.errors import ToolError
from common.models import Lenient
from common.tools import Receipt

APPROVAL = "approval"
"""The name of the one thing that is asked."""
MAX_SHOWN = 20_000
"""Characters of a diff that a form shows."""
_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "title": "Decision",
            "enum": ["approve", "reject"],
            "description": "Whether this one call is made",
        },
        "reason": {
            "type": "string",
            "title": "Reason",
            "description": "What the agent is told when it is rejected",
        },
    },
    "required": ["decision"],
}


class Asked(Lenient):
    """What was asked: the call's id, so that it is one call however often it is sent, and what was shown."""

    id: str
    expected: list[Receipt] | None = None
    """None for a read; none in it where nothing would change: then nothing may, later either."""


@dataclass(frozen=True)
class Answer:
    """What a person has said to what they were asked, if anything: the call is that one in any case."""

    asked: Asked
    is_approved: bool | None
    """None: nothing has come of it yet."""
    reason: str | None

    def refusal(self, tool: str) -> ToolError | None:
        """Return `rejected`, unless they have approved of the call."""
        if self.is_approved:
            return None
        why = "" if self.reason is None else f": {self.reason}"
        return ToolError("rejected", f"A person has rejected the call{why}", tool=tool)


def question(
    asked: Asked, workspace: str, tool: str, arguments: Mapping[str, JsonValue], preview: Preview
) -> InputRequiredResult:
    """Return what asks a person whether a call is made."""
    told = f"May '{tool}' be called in the workspace '{workspace}'?\n\n{_shown(arguments, preview)}"
    form = ElicitRequestFormParams(message=told, requested_schema=_FORM)
    return InputRequiredResult(
        input_requests={APPROVAL: ElicitRequest(params=form)},
        request_state=asked.model_dump_json(),
    )


def answer_to(state: str | None, responses: InputResponses | None) -> Answer | None:
    """Return what a person has said; None where nobody was asked yet.

    The state is one that was made here: whatever else came has been refused.
    """
    if state is None:
        return None
    asked, said = Asked.model_validate_json(state), (responses or {}).get(APPROVAL)
    if not isinstance(said, ElicitResult):
        return Answer(asked, is_approved=None, reason=None)
    content = said.content or {}
    reason = content.get("reason")
    return Answer(
        asked=asked,
        is_approved=said.action == "accept" and content.get("decision") == "approve",
        reason=reason if isinstance(reason, str) and reason else None,
    )


def _shown(arguments: Mapping[str, JsonValue], preview: Preview) -> str:
    shown = preview.diff
    if shown is None:
        shown = json.dumps(arguments, ensure_ascii=False, indent=1)
    if len(shown) > MAX_SHOWN:
        shown = f"{shown[:MAX_SHOWN]}\n… and {len(shown) - MAX_SHOWN} characters more"
    return shown
