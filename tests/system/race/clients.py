"""Clients that call as fast as they are answered, and what came of it."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx

from tests.system.race.operations import Operation
from tests.system.race.outside import Outside
from tests.system.services import TOKEN, Service

CLIENTS = 8
HUNG = 30.0
"""Seconds without an answer: three times what the call allows."""
MEND_INTERVAL = 0.05
MOST_VIOLATIONS = 10
BUSY = {503: "overloaded", 504: "deadline_exceeded", 507: None}
"""The answers from 500 up that are no fault, and the code that they must carry."""
UNTOLD = ("unavailable", "not_executed")
"""The code and outcome of what has to know a file's hash, where that cannot be told: swapped all the time."""
MISTAKES = {
    "invalid_arguments", "invalid_request", "malformed_request", "tool_not_found",
    "route_not_found", "method_not_allowed", "unauthenticated", "unsupported_media_type",
}  # fmt: skip
"""What the race itself would be to blame for: it would show nothing then."""


@dataclass
class Tally:
    """What the calls came to; `violations` has to be empty."""

    outside: Outside
    host_path: bytes
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Calls by shape, operation and outcome: `done`, or `refused`."""
    violations: list[str] = field(default_factory=list)

    def count(self, operation: Operation, response: httpx.Response, *, is_whole: bool) -> None:
        """Judge one answer, of which all was received or some."""
        outcome = "done" if response.is_success and is_whole else "refused"
        self.outcomes[operation.shape, operation.name, outcome] += 1
        wrong = self._leak(response) or _fault(response, operation)
        if wrong is not None:
            self.blame(operation, wrong)

    def blame(self, operation: Operation, wrong: str) -> None:
        """Keep what must not have happened."""
        arguments = dict(operation.arguments)
        self.violations.append(f"{operation.shape}: {operation.name} {arguments}: {wrong}")

    def total(self, outcome: str, place: str) -> int:
        """Return how many calls on a shape, or of an operation, came out like this."""
        return sum(n for key, n in self.outcomes.items() if outcome in key and place in key)

    def _leak(self, response: httpx.Response) -> str | None:
        headers = b"\n".join(b": ".join(pair) for pair in response.headers.raw)
        for place, data in (("body", response.content), ("headers", headers)):
            found = self.outside.leak(data)
            if found is not None:
                return f"ESCAPE, {found} in the {place}"
            if self.host_path in data:
                return f"a host path in the {place}"
        return None


def _fault(response: httpx.Response, operation: Operation) -> str | None:
    if response.is_success:
        return None
    try:
        problem = response.json()
    except ValueError:
        return f"{response.status_code} without a problem document"
    code = problem.get("code")
    is_busy = response.status_code in BUSY and BUSY[response.status_code] in {None, code}
    is_refused = operation.hashes_files and (code, problem["outcome"]) == UNTOLD
    if code in MISTAKES or (response.status_code >= 500 and not is_busy and not is_refused):
        return f"{response.status_code} {response.text[:300]}"
    return None


def client_of(service: Service) -> httpx.AsyncClient:
    """Return a client of a service that can wait for an answer for a while."""
    return httpx.AsyncClient(
        base_url=service.url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=HUNG,
        trust_env=False,
    )


async def _answer(client: httpx.AsyncClient, operation: Operation) -> tuple[httpx.Response, bool]:
    """Return an answer as far as it came, and whether it came to its end."""
    answer, body = await client.send(operation.request(client), stream=True), b""
    try:
        async for piece in answer.aiter_raw():
            body += piece
    except httpx.RemoteProtocolError:
        if not (answer.is_success and operation.may_break_off):
            raise
        return httpx.Response(answer.status_code, headers=answer.headers, content=body), False
    return httpx.Response(answer.status_code, headers=answer.headers, content=body), True


class Race:
    """Calls from all clients for so long, and mends the ground beneath them meanwhile."""

    def __init__(self, calls: Sequence[Operation], seconds: float, tally: Tally) -> None:
        self._calls = calls
        self._until = time.monotonic() + seconds
        self._tally = tally

    async def run(self, service: Service, mend: Callable[[], None]) -> None:
        """Return when time is up, or enough has gone wrong."""
        await asyncio.gather(self._mend(mend), *(self._call(service) for _ in range(CLIENTS)))

    def _is_over(self) -> bool:
        is_lost = len(self._tally.violations) >= MOST_VIOLATIONS
        return is_lost or time.monotonic() >= self._until

    async def _call(self, service: Service) -> None:
        async with client_of(service) as client:
            while not self._is_over():
                operation = secrets.choice(self._calls)
                try:
                    response, is_whole = await _answer(client, operation)
                except httpx.TransportError as error:
                    self._tally.blame(operation, f"no answer: {error!r}")
                else:
                    self._tally.count(operation, response, is_whole=is_whole)

    async def _mend(self, mend: Callable[[], None]) -> None:
        while not self._is_over():
            mend()
            await asyncio.sleep(MEND_INTERVAL)
