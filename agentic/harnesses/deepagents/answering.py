"""Errors as Deep Agents' results have them: a line that its model reads, or one of its own codes."""

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from deepagents.backends.protocol import (
    FILE_NOT_FOUND,
    INVALID_PATH,
    IS_DIRECTORY,
    PERMISSION_DENIED,
)

from agentic.harnesses.faults import told
from common.errors import AgenticError

P = ParamSpec("P")
_CODES = {
    "path_not_found": FILE_NOT_FOUND,
    "permission_denied": PERMISSION_DENIED,
    "not_a_file": IS_DIRECTORY,
    "path_not_allowed": INVALID_PATH,
}


class _Result(Protocol):
    def __init__(self, *, error: str) -> None: ...


R = TypeVar("R", bound=_Result)
Operation = Callable[P, Coroutine[Any, Any, R]]


def answers(result: Callable[..., R]) -> Callable[[Operation[P, R]], Operation[P, R]]:
    """Make an operation return its result with an error, where it would raise AgenticError."""

    def decorate(operation: Operation[P, R]) -> Operation[P, R]:
        @wraps(operation)
        async def answered(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await operation(*args, **kwargs)
            except AgenticError as error:
                return result(error=told(error))

        return answered

    return decorate


def code_of(error: AgenticError) -> str:
    """Return what a file that is sent or fetched has failed with: their code, or else our words."""
    return _CODES.get(error.code) or told(error)
