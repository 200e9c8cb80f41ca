"""Both services as processes with a model of the fake provider, and runs of them that are watched."""

import asyncio
import json
from collections import defaultdict, deque
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from agentic import AgenticClient
from common.ids import new_id
from common.plans import Turn
from common.runs import FINAL_EVENTS, Event, Run
from tests.orchestrator.fakes import until
from tests.system.models.answers import NO_ANSWER, Answer
from tests.system.models.fake import running
from tests.system.services import execution_environment, orchestrator

KEY = "a-key-that-nobody-may-see"
SHAPES = ("openai", "anthropic")
MODELS = {"openai": "openai:fake", "anthropic": "anthropic:claude-3-5-haiku-latest"}
"""The second one has a price, even where its address is another."""
ATTEMPTS = 2
FIRST_TOKEN = 2.0
"""Seconds."""
_TASK = "The task:\n"


def goal_of(conversation):
    """Return the goal of the run that asks: its first line."""
    return conversation.said[0].partition(_TASK)[2].splitlines()[0]


class Scripts:
    """A program: the answers of each run by its goal, so that runs do not take each other's."""

    def __init__(self):
        self._left = defaultdict(deque)
        self._asked = defaultdict(list)

    def __call__(self, conversation):
        """Give the run's next answer; 400 when there is none left."""
        goal = goal_of(conversation)
        self._asked[goal].append((datetime.now(UTC), conversation))
        left = self._left[goal]
        return left.popleft() if left else NO_ANSWER

    def put(self, goal, answers):
        """Let these be the answers of the run with this goal, after those that wait already."""
        self._left[goal].extend(answers)

    def asked(self, goal):
        """Return what the run has asked so far."""
        return [conversation for _, conversation in self._asked[goal]]

    def moments(self, goal):
        """Return when each of its requests was read."""
        return [moment for moment, _ in self._asked[goal]]


@dataclass
class Going:
    """A run, and what was heard of its session since before it was made."""

    stack: "Stack"
    client: AgenticClient
    run: Run
    root: Path
    """The workspace on the disk."""
    events: list[Event]
    following: asyncio.Task[None]
    turns: list[Turn] = field(default_factory=list)

    async def end(self):
        """Wait for the run's end; return itself, with the run as it is then."""
        await until(lambda: self.following.done() or _has_ended(self.events, self.run.id), 30)
        where = self.run.session_id, self.run.id
        self.run, self.turns = await self.client.run(*where), await self.client.turns(*where)
        return self

    async def speaking(self):
        """Wait until its model has said something and is held there; return the run as it is."""
        run = self.run
        async with asyncio.timeout(20):
            while not (run.text and self.stack.fake.seen.holding):
                run = await self.client.run(run.session_id, run.id)
        return run

    @property
    def asked(self):
        """What the model was asked, as the provider has read it."""
        return self.stack.scripts.asked(self.run.goal)

    @property
    def waits(self):
        """The seconds between two requests."""
        moments = self.stack.scripts.moments(self.run.goal)
        return [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]

    @property
    def until_asked_again(self):
        """The seconds from its start to its second request: the first may be read long after it was sent."""
        _, again = self.stack.scripts.moments(self.run.goal)
        return (again - self.run.started_at).total_seconds()

    @property
    def deltas(self):
        """What was said, as `(t, attempt, offset, text)`."""
        data = [event.data for event in self.events if event.type == "text.delta"]
        return [(one["t"], one["attempt"], one["offset"], one["text"]) for one in data]

    def heard(self, kind):
        """Return the events of a type."""
        return [event for event in self.events if event.type == kind]

    def everything(self):
        """Return all that anybody is told of the run, the model included."""
        told = [self.run, *self.turns, *self.events]
        bodies = [json.dumps(conversation.body) for conversation in self.asked]
        return "\n".join([*(one.model_dump_json() for one in told), *bodies])


@dataclass
class Stack:
    """Two services whose model is at a fake provider."""

    shape: str
    fake: object
    scripts: Scripts
    execution: object
    main: object
    workspaces: Path

    @property
    def model(self):
        """The model's name."""
        return MODELS[self.shape]

    @asynccontextmanager
    async def going(self, what, *answers, files=None, hears_all=False, **wishes):
        """Start a run that gets these answers; it is followed from before its first event.

        With `hears_all`, what it says is heard from its first word on: a service may need a moment
        until it listens to a session. A run before it, in the same session, shows that it does.
        """
        goal = f"{what} ({new_id('run')})"
        self.scripts.put(goal, answers)
        name = new_id("run").replace("_", "-")
        root = self.workspaces / name
        for path, content in (files or {}).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        async with AgenticClient(self.main.url) as client:
            session = await client.create_session(name)
            events, listens = [], asyncio.Event()
            following = asyncio.create_task(_follow(client, session.id, events, listens))
            try:
                await asyncio.wait_for(listens.wait(), 10)
                if hears_all:
                    await self._until_heard(client, session.id, events)
                run = await client.start_run(session.id, goal=goal, **wishes)
                yield Going(self, client, run, root, events, following)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    async def ended(self, what, *answers, **wishes):
        """Make such a run; return it ended."""
        async with self.going(what, *answers, **wishes) as going:
            return await going.end()

    async def _until_heard(self, client, session_id, events):
        async with asyncio.timeout(20):
            while not any(event.type == "text.delta" for event in events):
                goal = f"Say hello ({new_id('run')})"
                self.scripts.put(goal, [Answer(text="Hello.")])
                run = await client.start_run(session_id, goal=goal)
                await until(lambda run=run: _has_ended(events, run.id))
        await until(lambda: "".join(e.data.get("text", "") for e in events).endswith("."))
        events.clear()

    def logs(self):
        """Return all that both services have logged so far."""
        return self.main.log.read_text() + self.execution.log.read_text()


async def _follow(client, session_id, events, listens):
    async for event in client.events(session_id):
        events.append(event)
        listens.set()


def _has_ended(events, run_id):
    return any(event.run_id == run_id and event.type in FINAL_EVENTS for event in events)


@contextmanager
def stacks(directory):
    """Yield a stack for each shape, with one execution environment for both."""
    scripts = Scripts()
    execution = execution_environment(directory)
    with running(program=scripts) as fake:
        mains = {shape: _main(directory, shape, fake, execution) for shape in SHAPES}
        services = [*mains.values(), execution]
        try:
            for service in services:
                service.start(wait=False)
            for service in services:
                service.wait_until_it_serves()
            workspaces = directory / "data" / "workspaces" / "local"
            yield {
                shape: Stack(shape, fake, scripts, execution, main, workspaces)
                for shape, main in mains.items()
            }
        finally:
            codes = [service.stop() for service in services]
    assert codes == [0, 0, 0]


def _main(directory, shape, fake, execution):
    return orchestrator(
        directory / shape,
        execution,
        ORCHESTRATOR_MODEL=MODELS[shape],
        ORCHESTRATOR_MODEL_BASE_URL=fake.openai_url if shape == "openai" else fake.anthropic_url,
        ORCHESTRATOR_MODEL_API_KEY=KEY,
        ORCHESTRATOR_MODEL_ATTEMPTS=str(ATTEMPTS),
        ORCHESTRATOR_MODEL_FIRST_TOKEN=str(FIRST_TOKEN),
    )


def outputs_in(conversation):
    """Return what a request gives back to the model: texts by the ids of their calls, in order."""
    found = {}
    for message in conversation.body["messages"]:
        if message["role"] == "tool":
            found[message["tool_call_id"]] = message["content"]
        blocks = message["content"] if isinstance(message["content"], list) else []
        for block in blocks:
            if block["type"] == "tool_result":
                found[block["tool_use_id"]] = _text(block["content"])
    return found


def _text(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
