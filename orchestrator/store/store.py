"""The store as the rest of the service sees it: fifteen parts over one backend.

The event log and the texts have a backend of their own, over other connections.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.store.approvals.reviews import ReviewStore
from orchestrator.store.approvals.rules import RuleStore
from orchestrator.store.approvals.session_changes import SessionChanges
from orchestrator.store.backend import Backend, StoreConfig, StoreUnavailable
from orchestrator.store.conversation import Conversation
from orchestrator.store.events import DirectCallStore, EventLog
from orchestrator.store.keys import Keys
from orchestrator.store.leases import LeaseStore
from orchestrator.store.messages import MessageStore
from orchestrator.store.progress import Progress
from orchestrator.store.queue.queue import Queue
from orchestrator.store.queue.reaper import Reaper
from orchestrator.store.rate_limits import RateLimitStore
from orchestrator.store.runs import RunStore
from orchestrator.store.server.addresses import read_address
from orchestrator.store.server.connection import connected
from orchestrator.store.server.faults import Faults
from orchestrator.store.server.formats import UnknownFormat
from orchestrator.store.sessions import SessionStore
from orchestrator.store.texts import Texts
from orchestrator.store.workspaces import WorkspaceStore

PROBE_TTL = 10
"""Seconds that the mark of a probe stays."""


@dataclass(frozen=True)
class Store:
    """Sessions and runs; everything in it expires, but for what users do not want done: their rules."""

    backend: Backend
    sessions: SessionStore
    session_changes: SessionChanges
    workspaces: WorkspaceStore
    runs: RunStore
    messages: MessageStore
    reviews: ReviewStore
    rules: RuleStore
    leases: LeaseStore
    progress: Progress
    conversation: Conversation
    queue: Queue
    reaper: Reaper
    events: EventLog
    texts: Texts
    direct_calls: DirectCallStore
    rate_limits: RateLimitStore

    async def ping(self) -> None:
        """Return when the store answers and takes writes; raise StoreUnavailable."""
        redis, key = self.backend.redis, self.backend.keys.probe
        await self.backend.do(redis.set(key, "", ex=PROBE_TTL))


def make_store(
    redis: Any, prefix: str, config: StoreConfig, listener: Any = None, address: str = "Redis"
) -> Store:
    """Put the store together over clients (which must decode responses).

    Events are read over the second one: however many follow, leases and writes do not wait for them.
    """
    faults = Faults(address)
    backend = Backend(redis, Keys(prefix), config, faults)
    reading = Backend(listener or redis, backend.keys, config, faults)
    queue = Queue(backend)
    sessions, runs = SessionStore(backend), RunStore(backend, queue)
    return Store(
        backend=backend,
        sessions=sessions,
        session_changes=SessionChanges(backend, queue, sessions),
        workspaces=WorkspaceStore(backend),
        runs=runs,
        messages=MessageStore(backend, queue, runs),
        reviews=ReviewStore(backend, queue),
        rules=RuleStore(backend),
        leases=LeaseStore(backend, queue),
        progress=Progress(backend, queue),
        conversation=Conversation(backend),
        queue=queue,
        reaper=Reaper(backend, queue),
        events=EventLog(reading),
        texts=Texts(reading),
        direct_calls=DirectCallStore(backend),
        rate_limits=RateLimitStore(backend),
    )


@asynccontextmanager
async def open_store(url: str, prefix: str, config: StoreConfig) -> AsyncIterator[Store]:
    """Yield a store on the Redis at `url` (addresses.py says which URLs there are).

    One that is away may come back; raises UnknownFormat when a newer program has written to it.
    """
    address, format_key = read_address(url), Keys(prefix).format
    async with (
        connected(address, format_key) as redis,
        connected(address, format_key) as listener,
    ):
        store = make_store(redis, prefix, config, listener, address.shown)
        await _meet(store)
        yield store


async def _meet(store: Store) -> None:
    backend = store.backend
    try:
        await backend.do(backend.redis.get(backend.keys.format))
    except StoreUnavailable as failure:  # it has been logged, and may come back
        if isinstance(failure.__cause__, UnknownFormat):
            raise failure.__cause__ from None
