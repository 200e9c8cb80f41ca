"""What a person has made of a call: a model that knew only its own arguments would misread what came."""

import json

from common.plans import TurnCall
from common.runs import Step
from orchestrator.planners.llm.context.cutting import LeftOut, cut
from orchestrator.planners.llm.context.marks import harmless

EDITED = "A person has changed the arguments of this call to"


def edit_text(call: TurnCall, step: Step, most: int) -> str:
    """Return a line that says to what a person has changed a call's arguments, in about `most` characters.

    It is empty where they are the turn's, or what the turn's refer to.
    """
    if step.arguments is None or call.has_references or step.arguments == call.arguments:
        return ""
    arguments = json.dumps(step.arguments, ensure_ascii=False, separators=(",", ":"))
    return harmless(f"{EDITED} {cut(arguments, most, _left_out)}\n")


def _left_out(left_out: LeftOut) -> str:
    return f"{left_out} left out"
