"""What an AG-UI client sends, and the run that it asks for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from ag_ui.core import RunAgentInput, TextPart, UserMessage
from pydantic import Field, ValidationError

from common.errors import ClientError, FieldError, fields_of, told_of_fields
from common.runs import RunCreate

OPTIONS = "agentic"
"""The key of `forwardedProps` under which what is ours comes, and of metadata under which it goes."""
MAX_ID = 200
"""Characters of the ids that a client chooses: as many as of an Idempotency-Key."""
ClientId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]


class RunInput(RunAgentInput):
    """A run as AG-UI asks for one; what the protocol does not know is passed over, as it wants it."""

    thread_id: ClientId
    run_id: ClientId


def wanted_run(body: RunInput) -> RunCreate:
    """Return the run that is asked for: the last user message, or the plan among our options.

    Raises `invalid_request`.
    """
    options = _options(body.forwarded_props)
    goal = {} if "plan" in options else {"goal": _goal(body)}
    try:
        return RunCreate.model_validate({**options, **goal})
    except ValidationError as error:
        fields = [_named(field, is_goal=bool(goal)) for field in fields_of(error)]
        detail = told_of_fields(fields, "the body")
        raise ClientError("invalid_request", detail, fields=fields) from error


def ignored_tools(body: RunInput) -> Sequence[str]:
    """Return the names of the client's own tools: nothing here calls them."""
    return [tool.name for tool in body.tools or ()]


def refused(field: str, why: str) -> ClientError:
    """Return the refusal of one field of a body."""
    fields = [FieldError(field=field, message=why)]
    return ClientError("invalid_request", f"{field}: {why}", fields=fields)


def _options(props: Any) -> Mapping[str, Any]:
    options = props.get(OPTIONS, {}) if isinstance(props, dict) else {}
    where = f"forwardedProps.{OPTIONS}"
    if not isinstance(options, dict):
        raise refused(where, "has to be an object of run options")
    if "goal" in options:
        raise refused(f"{where}.goal", "the goal is the last user message")
    return options


def _goal(body: RunInput) -> str:
    for place in reversed(range(len(body.messages))):
        message = body.messages[place]
        if isinstance(message, UserMessage):
            return "\n".join(_texts(message, f"messages.{place}.content"))
    raise refused("messages", "has no user message: the last one says what to do")


def _texts(message: UserMessage, where: str) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
        return
    for place, part in enumerate(message.content):
        if not isinstance(part, TextPart):
            raise refused(
                f"{where}.{place}", f"only text is understood, and not a part '{part.type}'"
            )
        yield part.text


def _named(field: FieldError, *, is_goal: bool) -> FieldError:
    """Return the error under the name that the client knows its field by."""
    where = "messages" if is_goal and field.field == "goal" else f"forwardedProps.{OPTIONS}"
    name = where if field.field in ("", "goal") else f"{where}.{field.field}"
    return FieldError(field=name, message=field.message)
