"""A stack whose model is a fake provider, and what tests say to it and read of it."""

import json
from collections import deque
from contextlib import contextmanager

import pytest

from common.errors import ClientError
from tests.orchestrator.fakes import until
from tests.system.models.answers import NO_ANSWER, Conversation
from tests.system.models.openai_shape import conversation

OTHER = "openai:other"
"""A model that a run may name."""


class Script:
    """The program of a fake: what a test wants answered next, then what its own program says."""

    def __init__(self):
        self.answers = deque()
        self.then = None

    def __call__(self, asked: Conversation):
        if self.answers:
            return self.answers.popleft()
        return NO_ANSWER if self.then is None else self.then(asked)

    def clear(self):
        """Forget what the last test wanted."""
        self.answers.clear()
        self.then = None


class Talk:
    """One session with a model that is a fake, and what the fake has received since it began."""

    def __init__(self, client, fake, script, session):
        self.client = client
        self.script = script
        self.session = session
        self._fake = fake
        self._first = fake.seen.requests
        self._gone = fake.seen.gone

    @property
    def bodies(self):
        """The requests of this session."""
        return list(self._fake.seen.bodies)[self._first :]

    @property
    def gone(self):
        """How many of them were left before their answer was complete."""
        return self._fake.seen.gone - self._gone

    def answer(self, *answers):
        """Let these be the model's next answers."""
        self.script.answers.extend(answers)

    def release(self):
        """Let go on what is held."""
        self._fake.release()

    async def held(self):
        """Wait until an answer is held."""
        await until(lambda: self._fake.seen.holding == 1)

    async def start(self, goal, **asked):
        """Start a run."""
        return await self.client.start_run(self.session.id, goal=goal, **asked)

    async def run(self, goal, **asked):
        """Start a run, and return it when it has ended."""
        return await self.ended(await self.start(goal, **asked))

    async def ended(self, run):
        """Return a run when it has ended."""
        return await self.client.wait(self.session.id, run.id)

    async def read(self, run):
        """Return a run as it is."""
        return await self.client.run(self.session.id, run.id)

    async def events(self, run):
        """Return the events of a run that has ended."""
        return [event async for event in self.client.events(self.session.id, run.id)]

    async def send(self, run, text, key=None):
        """Tell a run something."""
        return await self.client.send(self.session.id, run.id, text, key)


async def refused(asking):
    """Return the error that something asked for is refused with."""
    with pytest.raises(ClientError) as raised:
        await asking
    return raised.value


def words(body):
    """Return all that a request tells, the last thing last."""
    return "\n".join(_text(message.get("content")) for message in body["messages"])


def last(body):
    """Return what a request tells last: all outputs of the answer before, and what is said then."""
    texts = []
    for message in reversed(body["messages"]):
        if message["role"] == "assistant":
            break
        texts.append(_text(message.get("content")))
    return "\n".join(reversed(texts))


def first(body):
    """Return what is said first."""
    return conversation(body).said[0]


def open_calls(body):
    """Return the ids of the calls in a request that have no output, which providers refuse."""
    made = {c["id"] for m in body["messages"] for c in m.get("tool_calls") or ()}
    return made ^ {m["tool_call_id"] for m in body["messages"] if m["role"] == "tool"}


def size(body):
    """Return what the fake counts for a request, in tokens."""
    return len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()) // 4


def _text(content):
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


@contextmanager
def started(*services):
    """Yield when all of them serve; they start side by side."""
    try:
        for service in services:
            service.start(wait=False)
        for service in services:
            service.wait_until_it_serves()
        yield
    finally:
        for service in services:
            service.stop()
