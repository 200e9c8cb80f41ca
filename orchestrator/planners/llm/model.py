"""A model of any provider that the model library knows, as the planner asks it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genai_prices import calc_price
from pydantic import JsonValue
from pydantic_ai import models
from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import UserError
from pydantic_ai.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
)
from pydantic_ai.usage import RequestUsage

from common.plans import Usage
from orchestrator.planners.llm.calls import calls_of
from orchestrator.planners.llm.config import USUAL_CONTEXT, ModelConfig
from orchestrator.planners.llm.conversation import ModelRequest, Reply, Say, ToolRequest
from orchestrator.planners.llm.providers import messages
from orchestrator.planners.llm.providers.counting import counted
from orchestrator.planners.llm.providers.faults import (
    FAILURES,
    MALFORMED,
    cut_off,
    malformed,
    read_fault,
)
from orchestrator.planners.llm.providers.opening import keys_of, open_client
from orchestrator.planners.llm.providers.requests import to_parameters, to_settings
from orchestrator.planners.llm.providers.secrets import Scrubber
from orchestrator.planners.llm.providers.surrogates import Joiner, whole

LOCAL = ("function", "test")
"""Systems that are functions of this process: their answers end without a reason."""
MAX_PARTS = 256
"""Of one answer, its calls mostly: the library looks through all of them for each further one."""


def open_model(name: str, config: ModelConfig) -> "ProviderModel":
    """Return the model of this name; raises UnusableModel. Takes a while: not for an event loop."""
    return ProviderModel(name, open_client(name, config), config)


@dataclass
class _Begun:
    """Whether something of an answer has arrived."""

    has_begun: bool = False


class ProviderModel:
    """Implements `Model` over the library's direct requests; what it raises holds no keys.

    Usage: `input_tokens` are all that the model read, those from the provider's cache (`cached_tokens`)
    among them, whichever way the provider counts; `output_tokens` are all that it wrote, its thinking
    among them. A server that does not say gets an estimate of four characters a token.
    """

    def __init__(self, name: str, client: models.Model[Any], config: ModelConfig) -> None:
        self.name = name
        self.context = config.context or client.profile.get("context_window") or USUAL_CONTEXT
        self._client = client
        self._config = config
        self._scrubber = Scrubber(keys_of(name, client, config))

    async def close(self) -> None:
        """Close its connections."""
        http = getattr(getattr(self._client, "client", None), "close", None)
        if http is not None:
            await http()

    async def ask(self, request: ModelRequest, say: Say) -> Reply:
        """Make one request; see `Model`."""
        begun = _Begun()
        try:
            response = await self._streamed(request, say, begun)
            if response.state != "complete" or not self._has_ended(response):
                raise cut_off("the answer ended before its end: the connection was closed")
            return self._reply(response, request)
        except FAILURES as error:
            fault = read_fault(error, has_begun=begun.has_begun, scrubber=self._scrubber)
            raise fault from None  # the original may hold a key: its words are in the fault
        except MALFORMED as error:
            raise malformed(error) from None  # likewise

    async def _streamed(self, request: ModelRequest, say: Say, begun: _Begun) -> ModelResponse:
        system = self._client.system
        stream = model_request_stream(
            self._client,
            messages.to_messages(request, flags_errors=system in messages.FLAGGING),
            model_settings=to_settings(request, self._config, system),
            model_request_parameters=to_parameters(request.tools, system),
        )
        joiner = Joiner()
        async with stream as events:
            async for event in events:
                begun.has_begun = True
                if isinstance(event, PartStartEvent) and event.index >= MAX_PARTS:
                    raise cut_off(f"the answer has more than {MAX_PARTS} parts")
                if text := joiner.feed(_text_of(event)):
                    await say(text)
            return events.get()

    def _has_ended(self, response: ModelResponse) -> bool:
        """Whether it has a reason to end; some servers have names of their own for one."""
        told = response.finish_reason or (response.provider_details or {}).get("finish_reason")
        return told != "error" and bool(told or self._client.system in LOCAL)

    def _reply(self, response: ModelResponse, request: ModelRequest) -> Reply:
        message = messages.to_json(response)
        calls = calls_of(message)
        text = whole("".join(p.content for p in response.parts if isinstance(p, TextPart)))
        return Reply(
            message=message,
            text=text,
            calls=calls,
            reason=_reason(response),
            usage=self._usage(response, request, text, calls),
            model=self.name,
        )

    def _usage(
        self,
        response: ModelResponse,
        request: ModelRequest,
        text: str,
        calls: Sequence[ToolRequest],
    ) -> Usage:
        said = counted(response.usage, request, text, calls)
        return Usage(
            input_tokens=said.input_tokens,
            cached_tokens=min(said.cache_read_tokens, said.input_tokens),
            output_tokens=said.output_tokens,
            cost=self._price(said),
        )

    def calls_of(self, message: JsonValue) -> Sequence[ToolRequest]:
        """Return the calls that an answer asks for, whichever model has given it."""
        return calls_of(message)

    def price_of(self, usage: Usage) -> float | None:
        """Return what so many tokens cost in US dollars; None where no price is known."""
        return self._price(
            RequestUsage(
                input_tokens=usage.input_tokens,
                cache_read_tokens=usage.cached_tokens,
                output_tokens=usage.output_tokens,
            )
        )

    def _price(self, usage: RequestUsage) -> float | None:
        for provider in ({"provider_api_url": self._url()}, {"provider_id": self._client.system}):
            if None in provider.values():
                continue
            try:
                found = calc_price(usage, self._client.model_name, **provider)
            except (LookupError, ValueError):  # unknown, or counts that cannot be
                continue
            return float(found.total_price)
        return None

    def _url(self) -> str | None:
        try:
            return self._client.base_url
        except UserError:  # it has none
            return None


def _text_of(event: ModelResponseStreamEvent) -> str:
    """Return the text that an event brings; thinking is not said."""
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def _reason(response: ModelResponse) -> Literal["stop", "length", "refused"]:
    if response.finish_reason == "length":
        return "length"
    return "refused" if response.finish_reason == "content_filter" else "stop"
