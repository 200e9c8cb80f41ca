"""Clients of the store's servers: one server, one that Sentinel names, or a cluster.

A connection that breaks in the middle of a command is made anew and the command sent again, which
may do it twice: every command of ours bears that (a script knows its own token or mark, an index is
written to the same value, a wake-up too many is looked at and dropped).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode, ClusterPubSub, PipelineCommand, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import AskError, MasterDownError, ReadOnlyError

from orchestrator.store.server.addresses import Address
from orchestrator.store.server.formats import known_format

POOL_SIZE = 64
POOL_WAIT = 2.0
CONNECT_TIMEOUT = 1.0
"""Seconds; there is none for a socket: what bounds a command is Backend.do."""
REPETITIONS = 3
FIRST_PAUSE, LONGEST_PAUSE = 0.025, 0.2
"""Seconds between repetitions: 0.35 of them in all."""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Waits for a free connection, like the pool of one server."""


class _ClusterListener(ClusterPubSub):
    """Listens on the node that has the channel's slot at the time."""

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Find the node by a command that is sent again wherever the cluster says."""
        if self.connection is None and len(command) > 1:
            await self.cluster.ttl(command[1])
        return await super().execute_command(*command, **options)


class _CheckedCluster(RedisCluster):
    """Looks at the data's format on each new connection."""

    def __init__(self, format_key: str, **options: Any) -> None:
        super().__init__(**options)
        self.connection_kwargs["redis_connect_func"] = known_format(format_key)
        for node in self.startup_nodes:
            node.connection_kwargs["redis_connect_func"] = known_format(format_key)

    def pubsub(self, *place: Any, **options: Any) -> ClusterPubSub:
        """Return what listens to channels; without it the client would have to be in use already."""
        return _ClusterListener(self, *place, **options)

    async def aclose(self) -> None:
        """Close every connection, also when the nodes have to be found anew after a fault."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")


@asynccontextmanager
async def connected(
    address: Address, format_key: str, size: int = POOL_SIZE
) -> AsyncIterator[Redis | RedisCluster]:
    """Yield a client with up to `size` connections (to each node); they close with the context."""
    hosts: list[dict[str, Any]] = [{**parse_url(url)} for url in address.urls]
    common: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "retry": Retry(ExponentialBackoff(LONGEST_PAUSE, FIRST_PAUSE), REPETITIONS),
        "max_connections": size,
    }
    if address.kind != "cluster":
        common |= {
            "timeout": POOL_WAIT,
            "redis_connect_func": known_format(format_key),
            "retry_on_error": [
                ReadOnlyError,
                MasterDownError,
            ],  # the name may lead elsewhere by now
        }
    async with AsyncExitStack() as stack:
        client: Redis | RedisCluster
        if address.kind == "cluster":
            client = _cluster(hosts, format_key, common)
        elif address.kind == "sentinel":
            sentinel = await stack.enter_async_context(_sentinel(hosts))
            options = _without_host(hosts[0]) | common
            client = sentinel.master_for(
                address.service, connection_pool_class=_SentinelPool, **options
            )
        else:
            client = Redis.from_pool(BlockingConnectionPool(**hosts[0], **common))
        stack.push_async_callback(client.aclose)
        yield client


def _sentinel(hosts: list[dict[str, Any]]) -> Any:
    options = {name: value for name, value in hosts[0].items() if name.startswith("ssl")}
    options |= {
        "username": hosts[0].get("sentinel_username"),
        "password": hosts[0].get("sentinel_password"),
        "ssl": hosts[0].get("connection_class") is SSLConnection,
        "socket_timeout": CONNECT_TIMEOUT,
    }
    places = [(host["host"], host["port"]) for host in hosts]
    return Sentinel(places, sentinel_kwargs=options)  # type: ignore[no-untyped-call]


def _cluster(hosts: list[dict[str, Any]], format_key: str, common: dict[str, Any]) -> RedisCluster:
    options = _without_host(hosts[0])
    nodes = [ClusterNode(host["host"], host["port"]) for host in hosts]
    return _CheckedCluster(format_key, startup_nodes=nodes, **options, **common)


def _without_host(host: dict[str, Any]) -> dict[str, Any]:
    no_options = ("host", "port", "sentinel_username", "sentinel_password")
    options = {name: value for name, value in host.items() if name not in no_options}
    if options.pop("connection_class", None) is SSLConnection:
        options["ssl"] = True
    return options


async def on_one_connection(
    client: Any, key: str, commands: Sequence[tuple[str | int, ...]]
) -> list[Any]:
    """Send commands to the server that holds `key`, all over one connection; return the answers."""
    if not isinstance(client, RedisCluster):
        pipeline = client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute()
        return answers
    return await _on_one_node(client, key, commands)


async def _on_one_node(
    cluster: RedisCluster, key: str, commands: Sequence[tuple[str | int, ...]]
) -> list[Any]:
    await cluster.initialize()
    sent = [PipelineCommand(number, *command) for number, command in enumerate(commands)]
    if (node := cluster.get_node_from_key(key)) is not None:
        await node.execute_pipeline(sent)
    for command in sent:
        if isinstance(command.result, AskError):  # or MOVED: the next attempt knows the new place
            await cluster.nodes_manager.move_slot(command.result)
        if isinstance(command.result, Exception):
            raise command.result
    return [command.result for command in sent]
