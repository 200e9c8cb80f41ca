"""The orchestrator's answers: models when they are good, its errors when not, and never endless."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import httpx

from agentic.api.documents import Unreadable, read_document
from agentic.api.problems import bounded
from agentic.api.transport import MOST, fault
from common.errors import Problem, SystemFault, from_problem

T = TypeVar("T")


@dataclass(frozen=True)
class Head:
    """What an answer begins with."""

    status: int
    headers: httpx.Headers

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    def unreadable(self, why: str) -> SystemFault:
        """Return the fault of an answer that is not as the orchestrator's are."""
        found = fault("upstream_failed", f"The answer (HTTP {self.status}) {why}")
        found.request_id = self.headers.get("x-request-id")
        return found


@dataclass(frozen=True)
class Answer(Head):
    """An answer with its whole body."""

    content: bytes


@dataclass(frozen=True)
class Stream(Head):
    """An answer whose body is still to come, piece by piece."""

    pieces: AsyncIterator[bytes]

    async def whole(self) -> Answer:
        """Read it to its end; raise `upstream_failed` for one that is longer than MOST."""
        content = bytearray()
        async for piece in self.pieces:
            content += piece
            if len(content) > MOST:
                raise self.unreadable("is longer than any of the orchestrator's")
        return Answer(self.status, self.headers, bytes(content))


def stream_of(answer: httpx.Response) -> Stream:
    """Return an answer that is never unpacked: a small one may unpack to gigabytes.

    Raises `upstream_failed` for one that is packed, which nobody asked for.
    """
    stream = Stream(answer.status_code, answer.headers, answer.aiter_bytes())
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise stream.unreadable("is packed, which nobody asked for")
    return stream


def read_answer(answer: Answer, model: type[T]) -> T:
    """Return a successful answer's body; raise the error that any other answer carries."""
    raise_for_error(answer)
    return _read(answer, model)


def raise_for_error(answer: Answer) -> None:
    """Raise the service's own error, rebuilt from the table, for an answer that is not a success."""
    if answer.is_success:
        return
    raise from_problem(bounded(_read(answer, Problem)))


def _read(answer: Answer, model: type[T]) -> T:
    try:
        return read_document(answer.content, model)
    except Unreadable as error:
        raise answer.unreadable(str(error)) from error
