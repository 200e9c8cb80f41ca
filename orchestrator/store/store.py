"""The store as the rest of the service sees it: six parts over one connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from common.errors import SystemFault
from common.logs import get_logger
from orchestrator.store.backend import Backend, StoreConfig
from orchestrator.store.events import EventLog
from orchestrator.store.formats import UnknownFormat, known_format
from orchestrator.store.keys import Keys
from orchestrator.store.leases import LeaseStore
from orchestrator.store.progress import Progress
from orchestrator.store.queue import Queue
from orchestrator.store.runs import RunStore
from orchestrator.store.sessions import SessionStore

POOL_SIZE = 64
POOL_WAIT = 10.0
CONNECT_TIMEOUT = 2.0
SOCKET_TIMEOUT = 5.0
"""Seconds: longer than any blocking read of ours."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Store:
    """Sessions and runs; everything in it expires."""

    backend: Backend
    sessions: SessionStore
    runs: RunStore
    leases: LeaseStore
    progress: Progress
    queue: Queue
    events: EventLog

    async def ping(self) -> None:
        """Return when Redis answers; raise `unavailable`."""
        await self.backend.do(self.backend.redis.ping())


def make_store(redis: Redis, prefix: str, config: StoreConfig) -> Store:
    """Put the store together over a connection (which must decode responses)."""
    backend = Backend(redis, Keys(prefix), config)
    queue = Queue(backend)
    return Store(
        backend=backend,
        sessions=SessionStore(backend),
        runs=RunStore(backend, queue),
        leases=LeaseStore(backend, queue),
        progress=Progress(backend, queue),
        queue=queue,
        events=EventLog(backend),
    )


@asynccontextmanager
async def open_store(url: str, prefix: str, config: StoreConfig) -> AsyncIterator[Store]:
    """Yield a store on the Redis at `url` (`redis://`, `rediss://` or `unix://`).

    One that is away may come back; raises UnknownFormat when a newer program has written to it.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=POOL_SIZE,
        timeout=POOL_WAIT,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        redis_connect_func=known_format(Keys(prefix).format),
        retry=Retry(NoBackoff(), 0),  # a command that was sent twice may have been done twice
    )
    redis = Redis(connection_pool=pool)
    store = make_store(redis, prefix, config)
    try:
        await _meet(store)
        yield store
    finally:
        await redis.aclose()
        await pool.aclose()


async def _meet(store: Store) -> None:
    try:
        await store.ping()
    except SystemFault as failure:
        if isinstance(failure.__cause__, UnknownFormat):
            raise failure.__cause__ from None
        log.warning("the session store cannot be reached yet")
