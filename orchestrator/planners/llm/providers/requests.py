"""What goes with a conversation: the bounds of the answer, and the tools."""

from collections.abc import Iterable

from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import ModelRequest, ToolCard

PLAIN = ("compatible",)
"""Systems that are sent the tools as they are, beside what the SDK writes: it would go through every
schema again for each request, which is a third of what a request costs here."""


def to_settings(request: ModelRequest, config: ModelConfig, system: str) -> ModelSettings:
    """Return what bounds the answer; for a plain system with the tools."""
    settings = ModelSettings(
        max_tokens=request.max_output,
        timeout=config.timeout.total_seconds(),
        request_timeout=config.timeout.total_seconds(),
        first_event_timeout=config.first_token.total_seconds(),
        max_retries=0,  # who asks repeats it, so that each request is counted
        cache=True,
    )
    if config.temperature is not None:
        settings["temperature"] = config.temperature
    if system in PLAIN and request.tools:
        settings["extra_body"] = {"tools": [_function(tool) for tool in request.tools]}
    return settings


def to_parameters(tools: Iterable[ToolCard], system: str) -> ModelRequestParameters:
    """Return the tools. Not strict: that would change their schemas, which have optional arguments."""
    definitions = [
        ToolDefinition(
            name=tool.name,
            description=tool.description,
            parameters_json_schema=dict(tool.schema),
            strict=False,
        )
        for tool in tools
        if system not in PLAIN
    ]
    return ModelRequestParameters(function_tools=definitions)


def _function(tool: ToolCard) -> dict[str, object]:
    """Return a tool as OpenAI's chat completions have it."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.schema}
    return {"type": "function", "function": function}
