"""The parts of the orchestrator, connected in order and closed in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from orchestrator.engine.assembly import WorkBounds, make_worker
from orchestrator.engine.worker import Worker
from orchestrator.execution.catalogue import Catalogue
from orchestrator.execution.upstream import Upstream, open_upstream
from orchestrator.planners.llm.loading import make_models, opened
from orchestrator.planners.registry import Planners, planners_of
from orchestrator.security.rate_limits import RateLimits, UserLimits
from orchestrator.settings import Settings
from orchestrator.store.backend import StoreConfig
from orchestrator.store.server.embedded import embedded_server
from orchestrator.store.store import Store, open_store
from orchestrator.streaming.connections import ConnectionManager
from orchestrator.supervisor import Supervisor


@dataclass(frozen=True)
class Parts:
    """What lives as long as the process."""

    planners: Planners
    store: Store
    upstream: Upstream
    catalogue: Catalogue
    connections: ConnectionManager
    worker: Worker
    limits: RateLimits


@asynccontextmanager
async def open_parts(settings: Settings, supervisor: Supervisor) -> AsyncIterator[Parts]:
    """Connect everything; the models are ready before the first run.

    Raises EmbeddedServerError when the embedded store cannot start, UnknownFormat when a newer
    program has written to the store, UnusableModel when a model cannot be asked as it is configured.
    """
    models = make_models(settings.llm)
    planners = planners_of(settings.llm, models)
    async with AsyncExitStack() as stack:
        # where no worker runs as well: whether a price is known is asked when a run is made
        await stack.enter_async_context(opened(models))
        url = await stack.enter_async_context(_redis(settings, supervisor))
        config = StoreConfig(
            session_ttl=settings.session_ttl,
            lease=settings.lease,
            replica_acks=settings.replica_acks,
            user_concurrency=settings.user_concurrency,
        )
        store = await stack.enter_async_context(open_store(url, settings.key_prefix, config))
        opening = open_upstream(
            str(settings.execution_url), settings.service_token, settings.transfer_timeout
        )
        upstream = await stack.enter_async_context(opening)
        tools = Catalogue(upstream.calls)
        worker = make_worker(store, upstream.calls, tools, planners, _bounds(settings))
        limits = RateLimits(store.rate_limits, UserLimits(*settings.user_limits))
        stack.push_async_callback(limits.streams.close)
        connections = ConnectionManager(store)
        stack.push_async_callback(connections.aclose)
        yield Parts(planners, store, upstream, tools, connections, worker, limits)


def _bounds(settings: Settings) -> WorkBounds:
    return WorkBounds(
        settings.call_timeout,
        settings.parallel_reads,
        settings.concurrency,
        settings.approval_timeout,
    )


PartsOpener = Callable[[Settings, Supervisor], AbstractAsyncContextManager[Parts]]


@asynccontextmanager
async def _redis(settings: Settings, supervisor: Supervisor) -> AsyncIterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
    elif settings.data_dir is not None:
        async with embedded_server(settings.data_dir) as server:
            supervisor.start("embedded_server", server.keep())
            yield server.url
