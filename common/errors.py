"""Errors as they travel: one exception class per family, one problem document on the wire.

AgenticError
├── ToolError     the planner sees it and may correct it
├── ClientError   the request cannot be served as it is
└── SystemFault   something failed that the caller did not cause
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from common.error_table import ERRORS, ErrorSpec, Family, Outcome
from common.models import Lenient

Source = Literal["execution_environment", "orchestrator", "client"]
MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:agentic:error:"
MAX_FIELDS = 20
MAX_FIELD_LENGTH = 200
MAX_LISTED = 1000
"""Listing more errors would hold the interpreter, and so the event loop: some 4 µs for each."""


class FieldError(Lenient):
    """One field of the input that is wrong; the input itself is never echoed."""

    field: str
    message: str


class ErrorContext(BaseModel):
    """The facts of an error: what was touched, which bound was crossed, what the kernel said."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    path: str | None = None
    tool: str | None = None
    errno: str | None = None
    limit: int | float | None = None
    actual: int | float | None = None
    fields: list[FieldError] | None = None
    current_sha256: str | None = None
    conflicts: list[dict[str, JsonValue]] | None = None
    """As `Conflict` has them: the first ones, where `actual` counts them all."""
    missing: list[str] | None = None
    """Hashes of contents: the first ones, where `actual` counts them all."""
    sessions: list[str] | None = None


class Problem(Lenient):
    """RFC 9457 problem details, with what this system adds."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str
    retryable: bool | None
    outcome: Outcome
    source: Source
    request_id: str | None
    context: dict[str, JsonValue]


class AgenticError(Exception):
    """An error of the table; what is not given comes from its row.

    `retry_after`: how long to wait before it makes sense to try again, where that is known.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        outcome: Outcome | None = None,
        retry_after: timedelta | None = None,
        **context: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.spec: ErrorSpec = ERRORS[code]
        self.hint = hint or self.spec.hint
        self.outcome: Outcome = outcome or self.spec.outcome
        self.retryable = self.spec.retryable
        self.retry_after = retry_after
        self.context = ErrorContext(**context)
        self.source: Source | None = None
        self.request_id: str | None = None

    def add_context(self, **more: Any) -> None:
        """Add facts that were not known where the error was raised; known ones stay."""
        known = self.context.model_dump(exclude_none=True)
        self.context = ErrorContext(**{**more, **known})

    def problem(self, source: Source, request_id: str | None) -> Problem:
        """Return the wire form; an error from further upstream keeps its own source and id."""
        return Problem(
            type=_TYPE + self.code,
            title=self.spec.title,
            status=self.spec.status,
            detail=self.detail,
            code=self.code,
            hint=self.hint,
            retryable=self.retryable,
            outcome=self.outcome,
            source=self.source or source,
            request_id=self.request_id or request_id,
            context=self.context.model_dump(mode="json", exclude_none=True),
        )


class ToolError(AgenticError):
    """A tool said no: recorded as its step's outcome."""

    family = "tool"


class ClientError(AgenticError):
    """The request itself is wrong, not allowed, or in conflict."""

    family = "client"


class SystemFault(AgenticError):
    """A service, or the way to it, failed."""

    family = "system"


_CLASSES: dict[Family, type[AgenticError]] = {
    "tool": ToolError,
    "client": ClientError,
    "system": SystemFault,
}


def error(code: str, detail: str, **more: Any) -> AgenticError:
    """Return an error of the class that the code's family has."""
    return _CLASSES[ERRORS[code].family](code, detail, **more)


def from_problem(problem: Problem) -> AgenticError:
    """Rebuild an error from the wire: its class and status by code, from our own table."""
    code = problem.code if problem.code in ERRORS else "upstream_failed"
    rebuilt = error(code, problem.detail, hint=problem.hint, outcome=problem.outcome)
    rebuilt.context = _context(problem.context)
    rebuilt.retryable = problem.retryable
    rebuilt.source = problem.source
    rebuilt.request_id = problem.request_id
    return rebuilt


def _context(told: dict[str, JsonValue]) -> ErrorContext:
    """Return the facts that can be read: an odd one must not hide the error itself."""
    try:
        return ErrorContext.model_validate(told)
    except ValidationError as error:
        odd = {one["loc"][0] for one in error.errors()}
        return ErrorContext.model_validate({k: told[k] for k in told if k not in odd})


def fields_of(error: ValidationError) -> list[FieldError]:
    """Return the first fields that pydantic found wrong; where they are too many, their number."""
    count = error.error_count()
    if count > MAX_LISTED:
        return [FieldError(field="", message=f"{count} of its values are wrong: too many to name")]
    return field_errors(error.errors(include_input=False, include_url=False))


def field_errors(errors: Sequence[Any], skip: int = 0) -> list[FieldError]:
    """Turn pydantic's errors into fields and messages, without the input they complain about.

    `skip` leaves out leading parts of the location, such as "body".
    """
    return [
        FieldError(
            field=".".join(str(part) for part in item["loc"][skip:])[:MAX_FIELD_LENGTH],
            message=item["msg"][:MAX_FIELD_LENGTH],
        )
        for item in errors[:MAX_FIELDS]
    ]


def told_of_fields(fields: Sequence[FieldError], whole: str) -> str:
    """Return one line that names the fields; one that has no name is the `whole`."""
    return f"Not valid: {', '.join(field.field or whole for field in fields)}"
