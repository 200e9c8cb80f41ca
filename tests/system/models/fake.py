"""Fake providers of models for tests: real HTTP, streaming and not, as OpenAI and Anthropic speak.

One server speaks both shapes: OpenAI's under `<url>/v1` (`/v1/chat/completions`), Anthropic's under
`<url>` (`/v1/messages`). Any key will do. In a thread of this process:

    with running(calls(("read_file", {"path": "a.txt"})), Answer(text="It says hello.")) as fake:
        ...  # ORCHESTRATOR_MODEL=openai:fake, ORCHESTRATOR_MODEL_BASE_URL=fake.openai_url
        assert fake.seen.requests == 2

The script is a list of answers, one a request, whoever asks; `fake.add(...)` lengthens it. When it has
run out, the program answers: a function from a `Conversation` to an `Answer`, or rules
(`program_of([Rule(when=..., results=0, answer=...), ...])`), so that many runs can be served at once.
Without a program it answers 400 `no_answer`. See `answers` for what an Answer can do: parallel calls,
malformed arguments, `finish="length"`, errors with headers, `hold` (waits for `fake.release()`; meanwhile
`fake.seen.holding` counts it), `cut` (closes the connection), `delay`, `is_json`, `has_usage`.

`fake.seen` counts requests, complete answers and clients that went away, and keeps the bodies;
`seen.asked[first thing said, number of tool results]` is how often one and the same was asked.

As a process of its own:

    with in_a_process(program="tests.system.models.fake:echo") as fake: ...
    python -m tests.system.models.fake --port 0 [--program module:function]   # prints its URL

which is told what to do by `POST /_control` with `{"script": [...], "rules": [...], "release": true,
"forget": true}` (each optional; the parts as JSON of Answer and Rule), and says what it has seen by
`GET /_control` (counts, `asked` as `[said, results, times]`) and `GET /_control/requests` (bodies). The
object that `in_a_process` yields does that: `add`, `follow(rules)`, `release`, `forget`, `counts`,
`requests`.
"""

import argparse
import asyncio
import importlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.system.models.answers import Answer, Conversation, Program, Rule
from tests.system.models.server import Seen, Server


class _Urls:
    url: str

    @property
    def openai_url(self) -> str:
        """What `openai:` models have as base URL."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """What `anthropic:` models have as base URL."""
        return self.url


class Fake(_Urls):
    """A server in a thread of this process."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop, url: str):
        self.url = url
        self._server = server
        self._loop = loop

    @property
    def seen(self) -> Seen:
        """What came in so far."""
        return self._server.seen

    def add(self, *answers: Answer) -> None:
        """Let these be the next answers, after those that wait already."""
        self._loop.call_soon_threadsafe(self._server.script.extend, answers)

    def release(self) -> None:
        """Let go on what is held now."""
        self._loop.call_soon_threadsafe(self._server.release)


@contextmanager
def running(*script: Answer, program: Program | None = None) -> Iterator[Fake]:
    """Yield a server in a thread with a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-model")
    thread.start()

    async def started() -> tuple[Server, int]:
        server = Server(script, program)
        return server, await server.start()

    try:
        server, port = asyncio.run_coroutine_threadsafe(started(), loop).result(10)
        try:
            yield Fake(server, loop, f"http://127.0.0.1:{port}")
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class Remote(_Urls):
    """A server in a process of its own."""

    def __init__(self, url: str):
        self.url = url

    def _post(self, wish: dict[str, Any]) -> None:
        httpx.post(f"{self.url}/_control", json=wish, trust_env=False).raise_for_status()

    def add(self, *answers: Answer) -> None:
        """Let these be the next answers, after those that wait already."""
        self._post({"script": [answer.model_dump() for answer in answers]})

    def follow(self, rules: Sequence[Rule]) -> None:
        """Answer by these rules when the script has run out."""
        self._post({"rules": [rule.model_dump() for rule in rules]})

    def release(self) -> None:
        """Let go on what is held now."""
        self._post({"release": True})

    def forget(self) -> None:
        """Begin to count anew, with an empty script."""
        self._post({"forget": True})

    def counts(self) -> dict[str, Any]:
        """Return what came in so far, without the bodies."""
        return dict(httpx.get(f"{self.url}/_control", trust_env=False).json())

    def requests(self) -> list[dict[str, Any]]:
        """Return the bodies of the requests."""
        return list(httpx.get(f"{self.url}/_control/requests", trust_env=False).json()["bodies"])


@contextmanager
def in_a_process(program: str | None = None, port: int = 0) -> Iterator[Remote]:
    """Yield a server in a process of its own; `program` is `module:function`."""
    options = [] if program is None else ["--program", program]
    command = [sys.executable, "-m", __spec__.name, "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Remote(process.stdout.readline().strip())
        finally:
            process.terminate()


def echo(conversation: Conversation) -> Answer:
    """A program: says what was said last."""
    return Answer(text=conversation.asked)


async def _serve(port: int, program: Program | None) -> None:
    server = Server(program=program)
    sys.stdout.write(f"http://127.0.0.1:{await server.start(port)}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake provider of models.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--program", help="module:function")
    options = parser.parse_args()
    program = None
    if options.program:
        module, _, name = options.program.partition(":")
        program = getattr(importlib.import_module(module), name)
    asyncio.run(_serve(options.port, program))


if __name__ == "__main__":
    _main()
