"""Errors of the services as the SDK's own, in words that a model can act on."""

from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from agents.sandbox import ExecResult, SandboxError, User
from agents.sandbox.errors import (
    ConfigurationError,
    ErrorCode,
    ExecNonZeroError,
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
    WorkspaceReadNotFoundError,
    WorkspaceStartError,
)

from agentic.harnesses.faults import told
from common.errors import AgenticError, ToolError

T = TypeVar("T")
_NOT_THERE = frozenset({"path_not_found", "not_a_directory"})


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise WorkspaceReadNotFoundError for what is not there, WorkspaceArchiveReadError for all else."""
    try:
        yield
    except AgenticError as error:
        if error.code == "path_not_found":
            raise WorkspaceReadNotFoundError(path=path, cause=error) from error
        raise _unread(error, path) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise WorkspaceArchiveWriteError."""
    try:
        yield
    except AgenticError as error:
        raise _unwritten(error, path) from error


@contextmanager
def listing(path: Path) -> Iterator[None]:
    """Raise ExecNonZeroError where nothing can be listed, which the SDK takes for an empty directory.

    Nothing else may be taken for that, so it is WorkspaceArchiveReadError.
    """
    try:
        yield
    except AgenticError as error:
        if error.code in _NOT_THERE:
            raise failed(("ls", path), error) from error
        raise _unread(error, path) from error


@contextmanager
def changing(command: str, *paths: Path) -> Iterator[None]:
    """Raise ExecNonZeroError for what a tool refuses, as a command would that has failed."""
    try:
        yield
    except ToolError as error:
        raise failed((command, *paths), error) from error
    except AgenticError as error:
        raise _unwritten(error, paths[0]) from error


@contextmanager
def starting(path: Path) -> Iterator[None]:
    """Raise WorkspaceStartError where a session cannot be had."""
    try:
        yield
    except AgenticError as error:
        raise WorkspaceStartError(
            path=path, message=told(error), cause=error, retryable=error.retryable
        ) from error


def failed(command: Sequence[str | Path], error: AgenticError) -> ExecNonZeroError:
    """Return the error of a command that says what a service has said."""
    result = ExecResult(stdout=b"", stderr=told(error).encode(), exit_code=1)
    return ExecNonZeroError(result, command=command, cause=error)


def require_no_user(user: str | User | None) -> None:
    """Raise ConfigurationError for work under a name of the sandbox: there is but the client's user."""
    if user is not None:
        raise ConfigurationError(
            message=f"This sandbox has no users, so nothing in it is done as {user!r}: the key of "
            "the client says who works. Leave 'run_as' and 'user' out.",
            error_code=ErrorCode.SANDBOX_CONFIG_INVALID,
            op="start",
            context={},
        )


async def unless_gone(wanted: Awaitable[T], code: str) -> T | None:
    """Return what is wanted; None where the service says, by this code, that there is none."""
    try:
        return await wanted
    except AgenticError as error:
        if error.code != code:
            raise
        return None


def _unread(error: AgenticError, path: Path) -> SandboxError:
    found = WorkspaceArchiveReadError(
        path=path, context={"code": error.code}, cause=error, retryable=error.retryable
    )
    found.message = told(error)  # its own says nothing of why
    found.args = (found.message,)
    return found


def _unwritten(error: AgenticError, path: Path) -> SandboxError:
    return WorkspaceArchiveWriteError(
        path=path,
        message=told(error),
        context={"code": error.code},
        cause=error,
        retryable=error.retryable,
    )
