"""Clients who do not give up: requests are repeated at any replica, followers come back for more."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from agentic.api import sse
from common.runs import FINAL_EVENTS, Event

PATIENCE = 3.0
"""Seconds for one answer, and for one connection of a follower: a replica may be paused."""
PAUSE = 0.1
FINAL = ("succeeded", "failed", "cancelled")


class Client:
    """One user's requests, each to a replica drawn by lot."""

    def __init__(self, urls: Sequence[str], key: str, chance: random.Random) -> None:
        self._urls = urls
        self._chance = chance
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.AsyncClient(headers=headers, timeout=PATIENCE, trust_env=False)

    def url(self, path: str) -> str:
        """Return a path's address at some replica."""
        return f"{self._chance.choice(self._urls)}{path}"

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Repeat a request until it is answered, by whichever replica; a 4xx is an answer."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await self.http.request(method, self.url(path), **request)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            await asyncio.sleep(PAUSE)

    async def ask_once(self, method: str, path: str, **request: Any) -> httpx.Response | None:
        """Repeat a request while nothing came of it; return nothing where that is not known."""
        while True:
            try:
                answer = await self.http.request(method, self.url(path), **request)
            except httpx.ConnectError:
                await asyncio.sleep(PAUSE)
                continue
            except httpx.TransportError:
                return None
            if answer.is_success:
                return answer
            if answer.json()["outcome"] != "not_executed":
                return None
            await asyncio.sleep(PAUSE)


class Follower:
    """Follows a session over any number of connections, each to a replica drawn by lot."""

    def __init__(self, client: Client, session_id: str, chance: random.Random) -> None:
        self._client = client
        self._path = f"/v1/sessions/{session_id}/events"
        self._chance = chance
        self._cursor = ""
        self.events: list[Event] = []
        self.connections = 0

    async def follow(self, is_over: Callable[[set[str]], bool]) -> None:
        """Follow until the runs that have ended, by their events, are all there will be."""
        while not is_over(self.ended()):
            self.connections += 1
            try:
                async with asyncio.timeout(self._chance.uniform(0.2, PATIENCE)):
                    await self._connect(is_over)
            except (TimeoutError, httpx.TransportError):
                await asyncio.sleep(PAUSE)

    async def _connect(self, is_over: Callable[[set[str]], bool]) -> None:
        headers = {"Last-Event-ID": self._cursor} if self._cursor else {}
        request = self._client.http.stream("GET", self._client.url(self._path), headers=headers)
        async with request as answer:
            if not answer.is_success:
                await asyncio.sleep(PAUSE)
                return
            async for item in sse.parse(answer.aiter_bytes()):
                self._take(item)
                if item.event in FINAL_EVENTS and is_over(self.ended()):
                    return

    def _take(self, item: sse.ServerSentEvent) -> None:
        event = Event.model_validate_json(item.data)
        if event.seq is not None:
            self._cursor = item.last_id
            self.events.append(event)

    def ended(self) -> set[str]:
        """Return the ids of the runs whose last event was seen."""
        return {str(event.run_id) for event in self.events if event.type in FINAL_EVENTS}

    def resumed(self, run_id: str) -> int:
        """Count how often a run was told to have got another owner."""
        told = [event for event in self.events if event.type == "run.resumed"]
        return sum(event.run_id == run_id for event in told)

    def was_told_of_a_gap(self) -> bool:
        """Tell whether the log has lost events: others than it had told of may have followed."""
        return any(event.type == "gap" for event in self.events)

    def doubles(self) -> list[str]:
        """Return what was told twice: a number, a step's outcome, a run's ending."""
        marks = [mark for event in self.events for mark in _marks(event)]
        return [mark for mark, count in Counter(marks).items() if count > 1]

    def holes(self) -> list[str]:
        """Return where a number does not follow on the one before."""
        numbers = [event.seq or 0 for event in self.events]
        return [
            f"{before} -> {after} of {self._path}"
            for before, after in zip([0, *numbers], numbers, strict=False)
            if after != before + 1
        ]


def _marks(event: Event) -> list[str]:
    marks = [f"seq {event.seq} of {event.session_id}"]
    if event.type in FINAL_EVENTS:
        marks.append(f"{event.type} of {event.run_id}")
    if event.type in ("step.succeeded", "step.failed"):
        marks.append(f"{event.type} {event.data.get('n')} of {event.run_id}")
    return marks
