"""An orchestrator that answers what the test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from common.errors import AgenticError
from common.ids import new_id
from common.plans import Turn
from common.runs import Event, Run
from common.sessions import Session

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION = Session(id=new_id("ses"), user_id="local", workspace="demo", ttl=60.0, created_at=NOW)
RUN_ID = new_id("run")


def a_run(**more: Any) -> Run:
    """Return a run of the session above."""
    facts: dict[str, Any] = {"status": "succeeded", "goal": "list", "plan": None, "steps": []}
    facts |= {"started_at": NOW, "finished_at": NOW, **more}
    return Run(
        id=RUN_ID, session_id=SESSION.id, planner="rules", revision=1, created_at=NOW, **facts
    )


def an_event(seq: int | None, kind: str, **data: Any) -> Event:
    """Return an event of that run."""
    facts = {"seq": seq, "type": kind, "time": NOW, "session_id": SESSION.id, "run_id": RUN_ID}
    return Event.model_validate({**facts, "data": data})


def a_delta(text: str, offset: int = 0, t: int = 1, attempt: int = 1) -> Event:
    """Return a piece of what is being said, which has no number."""
    return an_event(None, "text.delta", t=t, attempt=attempt, offset=offset, text=text)


def a_step(**more: Any) -> dict[str, Any]:
    """Return a step as an event carries it."""
    facts = {
        "id": new_id("stp"),
        "n": 1,
        "name": "look",
        "tool": "read_file",
        "status": "succeeded",
    }
    return {**facts, "arguments": {"path": "a.txt"}, "duration_ms": 1.5, **more}


def problem(error: AgenticError) -> httpx.Response:
    """Return the answer that carries an error, as the services send it."""
    document = error.problem("orchestrator", "req_of_the_answer")
    return httpx.Response(
        document.status,
        content=document.model_dump_json(),
        headers={"content-type": "application/problem+json"},
    )


def stream(*parts: Event | Exception | bytes) -> httpx.Response:
    """Return an event stream; an exception among the parts breaks the connection there."""

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            if isinstance(part, Exception):
                raise part
            yield part if isinstance(part, bytes) else _sse(part)

    return httpx.Response(200, content=body(), headers={"content-type": "text/event-stream"})


def _sse(event: Event) -> bytes:
    place = "" if event.seq is None else f"id: {event.seq}\n"
    return f"{place}event: {event.type}\ndata: {event.model_dump_json()}\n\n".encode()


Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Script(httpx.AsyncBaseTransport):
    """Gives one answer per request, in order; the last one for ever. Keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or fail as a connection does."""
        await request.aread()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)


class Talking(httpx.AsyncBaseTransport):
    """An orchestrator whose runs bring the events given, one list each; None waits for a POST."""

    def __init__(
        self,
        *runs: list[Event | None],
        run: Run | None = None,
        text: str | None = None,
        turns: list[Turn] | None = None,
    ):
        self._runs = list(runs)
        self.run = run or a_run()
        self.text = text
        self.turns = turns or []
        self.refusal: AgenticError | None = None
        """What messages are answered with."""
        self.posted: list[tuple[str, dict[str, Any] | None]] = []
        """The last part of each path, and its body."""
        self.asked: list[str] = []
        """The last part of each path that was asked for, in order."""
        self.after: list[str] = []
        """The number of the event after which each stream was asked for."""
        self._came = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer each route."""
        path = request.url.path.rpartition("/")[2]
        self.asked.append(path)
        if path == "events":
            self.after.append(request.headers.get("last-event-id", "0"))
            return httpx.Response(200, content=self._stream(self._runs.pop(0)))
        if path == "turns":
            return httpx.Response(200, json=[turn.model_dump(mode="json") for turn in self.turns])
        if request.method == "POST":
            self.posted.append((path, json.loads(await request.aread() or b"null")))
            if path in ("messages", "cancel"):
                self._came.set()
            if path == "messages" and self.refusal is not None:
                return problem(self.refusal)
        model = SESSION if path in ("sessions", SESSION.id) else self.run
        return httpx.Response(200, content=model.model_copy(update=self._said()).model_dump_json())

    def said(self, path: str) -> list[str]:
        """Return the goals or the texts that were sent there."""
        bodies = [body or {} for part, body in self.posted if part == path]
        return [body.get("goal") or body.get("text") or "" for body in bodies]

    def _said(self) -> dict[str, Any]:
        return {} if self.text is None else {"text": self.text}

    async def _stream(self, events: list[Event | None]) -> AsyncIterator[bytes]:
        for event in events:
            if event is not None:
                yield _sse(event)
                continue
            await self._came.wait()
            self._came.clear()
