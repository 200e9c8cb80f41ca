"""Calls that a model repeats within one answer, as small models do until they are cut off."""

from collections.abc import Sequence

from common.tools import Tools
from orchestrator.planners.llm.conversation import ToolRequest


def without_repeats(requests: Sequence[ToolRequest], tools: Tools) -> Sequence[ToolRequest]:
    """Leave out what is read again at the end, though nothing was changed in between."""
    count = len(requests)
    while count and _is_repeat(requests[:count], tools):
        count -= 1
    return requests[:count]


def _is_repeat(requests: Sequence[ToolRequest], tools: Tools) -> bool:
    """Say whether the last of these calls reads what an earlier one does."""
    *earlier, last = requests
    for request in (last, *reversed(earlier)):
        if request.tool not in tools or tools[request.tool].effect != "read":
            return False
        if request is not last and _what(request) == _what(last):
            return True
    return False


def _what(request: ToolRequest) -> tuple[str, str]:
    return request.tool, request.arguments
