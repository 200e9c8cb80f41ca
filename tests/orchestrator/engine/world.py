"""Runs over the execution environment's own parts, with files on the disk, and the people who answer."""

import inspect
from datetime import timedelta
from pathlib import Path
from typing import Any

from common.plans import Plan
from execution_environment.bootstrap import Assembly
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import Usage
from execution_environment.threads import ThreadPool
from execution_environment.transactions.settlement import SettleRequest
from orchestrator.engine.signals import Signals
from orchestrator.store.approvals.reviews import Said
from orchestrator.store.queue.refs import RunRef
from tests.orchestrator.builders import event_types, expire_run
from tests.orchestrator.fakes import runner_of

MIB = 1024 * 1024


class LostError(Exception):
    """The worker is gone."""


class Files:
    """The execution environment as the orchestrator sees it; `before` is done ahead of a call's n-th attempt.

    `calls` are those that were made, `looks` the dry runs.
    """

    def __init__(self, parts: Assembly, root: Path) -> None:
        self._parts, self._root = parts, root
        self.calls: list[Any] = []
        self.looks: list[Any] = []
        self.before: dict[Any, Any] = {}
        self.after: dict[Any, Any] = {}

    async def run(self, call, traceparent=None):
        """Make an attempt."""
        del traceparent
        (self.looks if call.dry_run else self.calls).append(call)
        place = ("look", call.tool) if call.dry_run else ":".join(call.id.split(":")[1:])
        await _done(self.before.pop(place, None))
        result = await self._parts.executor.run(call)
        await _done(self.after.pop(place, None))
        return result

    async def settle(self, call):
        """Say what became of a call."""
        asked = SettleRequest(call.id, call.fence, call.context.request_id, call.context)
        return await self._parts.settler.settle(asked)

    async def tools(self):
        """Return the tools there are."""
        return {tool.spec.name: tool.spec for tool in self._parts.registry.all()}

    def workspace(self, session):
        """Return where a session's files lie."""
        path = self._root / "workspaces" / session.user_id / session.workspace
        path.mkdir(parents=True, exist_ok=True)
        return path


async def _done(meanwhile):
    """Do what was to happen at this place, if anything was."""
    pending = None if meanwhile is None else meanwhile()
    if inspect.isawaitable(pending):
        await pending


def opened_parts(root: Path) -> Assembly:
    """Put the execution environment together over a directory."""
    root.mkdir()
    allowed = ServiceLimits(MIB, MIB, Usage(100 * MIB, 10_000))
    return Assembly(root, allowed, ThreadPool(8, 64), result_ttl=timedelta(days=1))


class World:
    """One run: workers that take it up, people who answer, and the files that it is about."""

    def __init__(self, store, redis, executor, planner, lease):
        self.store, self.redis, self.executor, self.planner = store, redis, executor, planner
        self.lease, self.session = lease, lease.session
        self.ids = lease.session.id, lease.run.id
        self.files = executor.workspace(lease.session)
        self.workers = 0

    async def go(self, signals=None):
        """Have a worker take the run up until it ends, waits, or the worker is lost; return the run."""
        self.workers += 1
        if self.lease is None:
            await self.store.queue.take(RunRef(self.session.user_id, *self.ids))
            self.lease = await self.store.leases.acquire(*self.ids, f"worker-{self.workers}")
            assert self.lease is not None
        runner = runner_of(
            self.store,
            self.executor,
            self.planner,
            name=self.planner.spec.name,
            tools=self.executor.tools,
        )
        try:
            await runner.execute(self.lease, signals or Signals())
        except LostError:
            await self.lose()
        self.lease = None
        return await self.run()

    async def lose(self):
        """Let the lease run out of a worker that is gone."""
        await expire_run(self.redis, self.session, self.ids[1])
        self.lease = None

    async def run(self):
        """Return the run as clients see it."""
        return await self.store.runs.get(*self.ids)

    async def review(self):
        """Return what people are shown."""
        return (await self.store.reviews.get(*self.ids)).review

    async def say(self, **states):
        """Answer for the calls of the turn that waits: `approved`, `rejected` for each by its name."""
        waiting = await self.store.reviews.get(*self.ids)
        numbers = {call.name: call.n for call in waiting.turn.calls}
        said = {numbers[name]: state for name, state in states.items()}
        await self._answer(
            waiting,
            lambda call: (
                {"state": said[call.n], "reason": "no, thanks"} if call.n in said else {}
            ),
        )

    async def approve(self):
        """Approve all that asks."""
        waiting = await self.store.reviews.get(*self.ids)
        await self._answer(
            waiting, lambda call: {"state": "approved"} if call.state == "asks" else {}
        )

    async def edit(self, n, **arguments):
        """Approve a call with other arguments, whose preview is as it was."""
        waiting = await self.store.reviews.get(*self.ids)
        await self._answer(waiting, lambda call: {"arguments": arguments} if call.n == n else {})

    async def _answer(self, waiting, changed):
        calls = [call.model_copy(update=changed(call)) for call in waiting.review.calls]
        review = waiting.review.model_copy(update={"calls": calls})
        said = Said(waiting.revision, review, review, "approval.received", {})
        await self.store.reviews.say(*self.ids, said, user_id=self.session.user_id)

    async def events(self):
        """Return the types of the session's events."""
        return await event_types(self.store, self.ids[0])


def plan_of(*steps) -> Plan:
    """Return a plan of these steps: name, tool, arguments."""
    return Plan.model_validate(
        {"steps": [{"name": n, "tool": t, "arguments": a, **m} for n, t, a, m in steps]}
    )
