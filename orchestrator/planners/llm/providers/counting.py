"""What an answer took, as the provider says; an estimate where that is nothing that can be counted."""

from collections.abc import Sequence

from pydantic_ai.usage import RequestUsage

from orchestrator.planners.llm.conversation import ModelRequest, ToolRequest
from orchestrator.planners.llm.sizes import size_of

CHARACTERS_PER_TOKEN = 4
"""Where a provider does not say what an answer took."""
MOST_TOKENS = 10**9
"""More than any request can take: a count above it is none, and no store could add it up."""


def counted(
    said: RequestUsage, request: ModelRequest, text: str, calls: Sequence[ToolRequest]
) -> RequestUsage:
    """Return what the provider says, or else four characters a token, of the answer and the request."""
    if not said.unmeasured_requests and _is_usage(said):
        return said
    written = len(text) + sum(len(call.arguments) for call in calls)
    return RequestUsage(
        input_tokens=size_of(request) // CHARACTERS_PER_TOKEN + 1,
        output_tokens=written // CHARACTERS_PER_TOKEN + 1,
    )


def _is_usage(said: RequestUsage) -> bool:
    """Whether these are counts of tokens, and not all of them 0: a server may write what it likes."""
    counts = (said.input_tokens, said.cache_read_tokens, said.output_tokens)
    if not all(isinstance(count, int) and 0 <= count <= MOST_TOKENS for count in counts):
        return False
    return said.input_tokens + said.output_tokens > 0
