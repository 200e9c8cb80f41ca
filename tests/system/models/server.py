"""The fake provider's server: HTTP/1.1 over plain asyncio, so that it can break off where it likes."""

import asyncio
import json
import socket
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.system.models import anthropic_shape, openai_shape
from tests.system.models.answers import (
    NO_ANSWER,
    Answer,
    Conversation,
    Place,
    Program,
    Rule,
    program_of,
)

SHAPES = {"/chat/completions": openai_shape, "/messages": anthropic_shape}


class _Cut(Exception):
    """The connection is to be closed here."""


@dataclass
class Seen:
    """What came in."""

    requests: int = 0
    gone: int = 0
    """Clients that went away before their answer was complete."""
    answered: int = 0
    """Complete answers, errors too."""
    holding: int = 0
    """Answers that wait to be released."""
    bodies: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=5000))
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Requests by what was said first in them, and the number of tool results."""
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of the last hundred requests."""

    def note(self, conversation: Conversation, headers: dict[str, str]) -> int:
        """Count a request; return its number."""
        self.requests += 1
        self.bodies.append(conversation.body)
        first = conversation.said[0] if conversation.said else ""
        self.asked[first, len(conversation.results)] += 1
        self.headers = [*self.headers[-99:], headers]
        return self.requests

    def public(self) -> dict[str, Any]:
        """Return it as JSON, without the bodies."""
        counts = {"requests", "gone", "answered", "holding"}
        asked = [[said, results, times] for (said, results), times in self.asked.items()]
        return {**{name: getattr(self, name) for name in counts}, "asked": asked}


class Server:
    """Answers by its script, one answer a request, then by its program."""

    def __init__(self, script: Iterable[Answer] = (), program: Program | None = None):
        self.script = deque(script)
        self.program = program
        self.seen = Seen()
        self._gate = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self, port: int = 0) -> int:
        """Listen on loopback; return the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=512)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close all connections, and stop listening."""
        if self._server is not None:
            self._server.close()
            for writer in set(self._writers):
                writer.transport.abort()
            while self._writers:
                await asyncio.sleep(0.001)
            await self._server.wait_closed()

    def release(self) -> None:
        """Let go on what is held now; what is held later waits again."""
        self._gate.set()
        self._gate = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, _Cut):
            pass  # the client has gone between two requests, or the script says so
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (h.partition(":") for h in head[1:] if h)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = path.split("?")[0]
        if path.startswith("/_control"):
            return _send(writer, 200, self.control(method, path, body))
        shape = next((SHAPES[end] for end in SHAPES if path.endswith(end)), None)
        if shape is None:
            model = {"data": [{"id": "fake", "object": "model"}], "object": "list"}
            return _send(writer, 200 if path.endswith("/models") else 404, model)
        exchange = _Exchange(self, shape, headers, reader, writer)
        await exchange.run(shape.conversation(json.loads(body)), len(body))
        return True

    def control(self, method: str, path: str, body: bytes) -> Any:
        """Do what another process asks for; see the module `fake`."""
        if method == "POST":
            wish = json.loads(body)
            self.script.extend(Answer.model_validate(item) for item in wish.get("script", ()))
            if "rules" in wish:
                self.program = program_of([Rule.model_validate(item) for item in wish["rules"]])
            if wish.get("release"):
                self.release()
            if wish.get("forget"):
                self.seen, self.script = Seen(holding=self.seen.holding), deque()
        if path.endswith("/requests"):
            return {"bodies": list(self.seen.bodies), "headers": self.seen.headers}
        return self.seen.public()

    def answer_to(self, conversation: Conversation) -> Answer:
        """Return the next answer."""
        if self.script:
            return self.script.popleft()
        return NO_ANSWER if self.program is None else self.program(conversation)

    async def held(self, reader: asyncio.StreamReader, seconds: float | None) -> None:
        """Wait for a release, or so long; a client that goes away meanwhile is counted."""
        opened = asyncio.ensure_future(self._gate.wait())
        gone = asyncio.ensure_future(reader.read(1))
        self.seen.holding += seconds is None
        try:
            await asyncio.wait({opened, gone}, timeout=seconds, return_when="FIRST_COMPLETED")
            if gone.done():
                raise ConnectionResetError
        finally:
            self.seen.holding -= seconds is None
            for waiting in (opened, gone):
                waiting.cancel()
            await asyncio.gather(opened, gone, return_exceptions=True)


def _send(
    writer: asyncio.StreamWriter, status: int, body: Any, more: dict[str, str] | None = None
) -> bool:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {
        "Content-Type": "application/json", "Content-Length": str(len(content)), **(more or {})
    }  # fmt: skip
    writer.write(_head(status, headers) + content)
    return True


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Exchange:
    """One request and its answer."""

    def __init__(self, server: Server, shape: Any, headers: dict[str, str], reader, writer):
        self._server = server
        self._shape = shape
        self._headers = headers
        self._reader = reader
        self._writer = writer
        self._passed: set[Place] = set()

    async def run(self, conversation: Conversation, size: int) -> None:
        number = self._server.seen.note(conversation, self._headers)
        answer = self._server.answer_to(conversation)
        try:
            if answer.delay:
                await self._server.held(self._reader, answer.delay)
            await self._at("headers", answer)
            await self._answer(answer, conversation, number, size)
        except ConnectionError:
            self._server.seen.gone += 1
            raise
        self._server.seen.answered += 1

    async def _answer(self, answer: Answer, conversation: Conversation, number, size) -> None:
        if answer.status != 200:
            self._refuse(answer)
        elif answer.is_json or not conversation.body.get("stream"):
            document = self._shape.document(answer, conversation, number, size)
            if not answer.has_usage:
                document.pop("usage", None)
            await self._send_document(answer, json.dumps(document))
        else:
            await self._stream(answer, self._shape.frames(answer, conversation, number, size))
        await self._writer.drain()

    async def _send_document(self, answer: Answer, text: str) -> None:
        await self._at("start", answer)
        if answer.cut is not None:
            headers = {"Content-Type": "application/json", "Content-Length": str(len(text))}
            self._writer.write(_head(200, headers) + text[: len(text) // 2].encode())
            await self._close()
        _send(self._writer, 200, text)

    def _refuse(self, answer: Answer) -> None:
        message = answer.message
        if answer.echoes_key:
            key = self._headers.get("authorization") or self._headers.get("x-api-key")
            message += f": {key}"
        body = answer.raw if answer.raw is not None else self._shape.error(answer, message)
        _send(self._writer, answer.status, body, answer.headers)

    async def _stream(self, answer: Answer, frames: Iterable[openai_shape.Frame]) -> None:
        headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        self._writer.write(_head(200, {**headers, **answer.headers}))
        for place, frame in frames:
            if place in ("start", "finish") and await self._at(place, answer):
                break
            self._writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))
            if place in ("text", "arguments") and await self._at(place, answer):
                break  # in the midst of it: after the first piece
        self._writer.write(b"0\r\n\r\n")

    async def _at(self, place: Place, answer: Answer) -> bool:
        """Hold or cut where the answer says so; return whether the body ends here as if complete."""
        if place in self._passed or place not in (answer.hold, answer.cut):
            return False
        self._passed.add(place)
        await self._writer.drain()
        if answer.hold == place:
            await self._server.held(self._reader, None)
        if answer.cut == place:
            if answer.is_cut_cleanly:
                return True
            await self._close()
        return False

    async def _close(self) -> None:
        await self._writer.drain()
        self._writer.close()  # what was written is sent before
        raise _Cut
