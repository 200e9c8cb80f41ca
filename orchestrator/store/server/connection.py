"""Clients of the store's servers: one server, one that Sentinel names, or a cluster.

A connection that breaks in the middle of a command is made anew and the command sent again, which
may do it twice: every command of ours bears that (a script knows its own token or mark, an index is
written to the same value, a wake-up too many is looked at and dropped).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import MasterDownError, ReadOnlyError

from orchestrator.store.server.addresses import Address
from orchestrator.store.server.cluster import CheckedCluster, on_one_node
from orchestrator.store.server.formats import known_format

POOL_SIZE = 64
POOL_WAIT = 2.0
CONNECT_TIMEOUT = 1.0
"""Seconds; there is none for a socket: what bounds a command is Backend.do."""
REPETITIONS = 3
FIRST_PAUSE, LONGEST_PAUSE = 0.025, 0.2
"""Seconds between repetitions: 0.35 of them in all."""


_DEMOTED = (ReadOnlyError, MasterDownError)
"""What is connected to a demoted master is connected anew: the name may lead elsewhere by now."""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Waits for a free connection, like the pool of one server."""


@asynccontextmanager
async def connected(
    address: Address, format_key: str, size: int = POOL_SIZE
) -> AsyncIterator[Redis | RedisCluster]:
    """Yield a client with up to `size` connections (to each node); they close with the context."""
    hosts: list[dict[str, Any]] = [{**parse_url(url)} for url in address.urls]
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "retry": Retry(ExponentialBackoff(LONGEST_PAUSE, FIRST_PAUSE), REPETITIONS),
        "max_connections": size,
    }
    if address.kind == "cluster":
        nodes = [ClusterNode(host["host"], host["port"]) for host in hosts]
        options |= _without_host(hosts[0]) | {"startup_nodes": nodes}
        async with aclosing(CheckedCluster(format_key, **options)) as cluster:
            yield cluster
        return
    options |= {
        "timeout": POOL_WAIT,
        "redis_connect_func": known_format(format_key),
        "retry_on_error": list(_DEMOTED),
    }
    async with _master(address, hosts, options) as client:
        yield client


@asynccontextmanager
async def _master(
    address: Address, hosts: list[dict[str, Any]], options: dict[str, Any]
) -> AsyncIterator[Redis]:
    if address.kind == "redis":
        async with aclosing(Redis.from_pool(BlockingConnectionPool(**hosts[0], **options))) as one:
            yield one
        return
    async with _sentinel(hosts) as sentinel:
        options |= _without_host(hosts[0]) | {"connection_pool_class": _SentinelPool}
        async with aclosing(sentinel.master_for(address.service, **options)) as master:
            yield master


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
    return await on_one_node(client, key, commands)
