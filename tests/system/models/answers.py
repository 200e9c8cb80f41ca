"""What a fake provider answers, and what it knows of a conversation when it decides that."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Place = Literal["headers", "start", "text", "arguments", "finish"]
"""Before the headers, before the first token, within the text, within arguments, before the end."""


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wanted(_Plain):
    """A call that the model asks for. Arguments given as text are sent as they are, valid or not."""

    tool: str
    arguments: dict[str, Any] | str = {}
    id: str | None = None
    """None: one that no other request gets."""


class Answer(_Plain):
    """One answer, or one fault; what is left out is as providers usually have it."""

    text: str = ""
    thinking: str = ""
    calls: tuple[Wanted, ...] = ()
    finish: Literal["stop", "tool_calls", "length", "content_filter"] | None = None
    """None: by whether there are calls."""
    pieces: int = 3
    """In how many deltas the text goes, and the arguments of each call."""
    input_tokens: int | None = None
    """All of them, cached ones too; None: a quarter of the request's bytes."""
    cached_tokens: int = 0
    output_tokens: int | None = None
    has_usage: bool = True
    is_json: bool = False
    """Answers with one JSON document although a stream was asked for."""
    delay: float = 0.0
    """Seconds before the headers."""
    hold: Place | None = None
    """Waits there until it is released, or the client has gone."""
    cut: Place | None = None
    """Closes the connection there."""
    is_cut_cleanly: bool = False
    """The cut ends the body as a complete one ends: a proxy's way to lose the rest."""
    status: int = 200
    """Another one makes it an error, with these: `headers`, `message`, `code`, `kind`."""
    headers: dict[str, str] = {}
    message: str = ""
    code: str | int | None = None
    kind: str | None = None
    """The error's `type`."""
    echoes_key: bool = False
    """The error's message repeats the key that came with the request."""
    raw: str | None = None
    """The body of the error, verbatim, whatever the shape."""
    breaks_with: str | None = None
    """An error with this message, sent within the stream after the first text."""


@dataclass(frozen=True)
class Conversation:
    """A request, read alike from both shapes."""

    model: str
    system: str
    said: Sequence[str]
    """All that came as the user's, in order."""
    results: Sequence[str]
    """All tool results, in order."""
    results_since: int
    """Tool results after the last thing said."""
    tools: Sequence[str]
    body: dict[str, Any]

    @property
    def asked(self) -> str:
        """What was said last."""
        return self.said[-1] if self.said else ""


Program = Callable[[Conversation], Answer]


class Rule(_Plain):
    """What is answered when something said matches `when`, after so many tool results in all.

    The last that was said and matches counts. Each `<name>` in texts and arguments is replaced by
    the group of that name: `when="write (?P<file>\\S+)"` lets an argument be `"<file>"`.
    """

    when: str = ""
    results: int | None = None
    """None: however many. All that the request shows count: fewer after a compaction."""
    answer: Answer

    def answers(self, conversation: Conversation) -> Answer | None:
        """Return the answer, or None where the rule does not apply."""
        matches = [re.search(self.when, text) for text in conversation.said]
        found = next((match for match in reversed(matches) if match), None)
        if found is None or self.results not in (None, len(conversation.results)):
            return None
        return _filled(self.answer, found.groupdict())


def _filled(answer: Answer, groups: dict[str, str]) -> Answer:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"<(\w+)>", lambda m: groups.get(m[1]) or m[0], value)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list | tuple) else value

    return Answer.model_validate(fill(answer.model_dump())) if groups else answer


def program_of(rules: Sequence[Rule]) -> Program:
    """Return what answers by the first rule that applies; by a 400 where none does."""

    def program(conversation: Conversation) -> Answer:
        answers = (rule.answers(conversation) for rule in rules)
        return next((a for a in answers if a is not None), NO_ANSWER)

    return program


NO_ANSWER = Answer(status=400, message="the fake has no answer to this", code="no_answer")


def calls(*wanted: tuple[str, dict[str, Any] | str], **more: Any) -> Answer:
    """Return an answer that asks for these calls: pairs of tool and arguments."""
    return Answer(calls=tuple(Wanted(tool=t, arguments=a) for t, a in wanted), **more)


def overloaded(retry_after: str | None = None, status: int = 429) -> Answer:
    """Return what a provider answers that has too much to do."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(
        status=status, message="Too many requests", kind="rate_limit_error", headers=headers
    )


def broken(status: int = 500) -> Answer:
    """Return what a provider answers that has failed."""
    return Answer(status=status, message="The server had an error", kind="api_error")


def wrong_key() -> Answer:
    """Return what a provider answers that does not know the key, and says it back."""
    return Answer(
        status=401,
        message="Incorrect API key provided",
        code="invalid_api_key",
        kind="authentication_error",
        echoes_key=True,
    )


def no_such_model(status: int = 404) -> Answer:
    """Return what a provider answers that does not have the model."""
    return Answer(
        status=status,
        message="The model does not exist",
        code="model_not_found",
        kind="not_found_error",
    )


def too_long() -> Answer:
    """Return what OpenAI (or Anthropic) answers to what is longer than the model can read."""
    return Answer(
        status=400,
        message="prompt is too long: this model's maximum context length is 8192 tokens",
        code="context_length_exceeded",
        kind="invalid_request_error",
    )


def too_long_for_llama() -> Answer:
    """Return what llama.cpp answers to that."""
    return Answer(
        status=400,
        raw='{"error":{"code":400,"message":"the request exceeds the available context size, try'
        ' increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}',
    )
