"""redis-py's client of a cluster, with what it lacks for us: a look at the format, channels, an end."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import (
    AbstractStrategy,
    ClusterPipeline,
    ClusterPubSub,
    PipelineCommand,
    RedisCluster,
    TransactionStrategy,
)
from redis.exceptions import AskError, RedisClusterException

from orchestrator.store.server.formats import known_format

_OTHERWISE = {"WATCH", "UNWATCH", "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"}
"""Commands that have to be sent at once, or whose keys stand elsewhere."""


class _ClusterListener(ClusterPubSub):
    """Listens on the node that has the channel's slot at the time."""

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Find the node by a command that is sent again wherever the cluster says."""
        if self.connection is None and len(command) > 1:
            await self.cluster.ttl(command[1])
        return await super().execute_command(*command, **options)


class _Transaction(TransactionStrategy):
    """Queues commands on keys of one slot, and finds the cluster on the caller's event loop.

    redis-py's own has each command looked at by `asyncio.run` in a thread. That may open connections,
    which stay in the pool when their loop is closed; and nothing else happens until it is through.
    """

    def execute_command(self, *command: Any, **options: Any) -> ClusterPipeline:
        """Queue a command whose first argument is its key; raise for others."""
        if command[0].upper() in _OTHERWISE or len(command) < 2:
            raise RedisClusterException(f"{command[0]} is not for a transaction on a cluster")
        self._pipeline_slots.add(self._pipe.cluster_client.keyslot(command[1]))
        return AbstractStrategy.execute_command(self, *command, **options)

    async def execute(
        self, raise_on_error: bool = True, allow_redirections: bool = True
    ) -> list[Any]:
        """Send what is queued between MULTI and EXEC; return the answers."""
        await self._pipe.cluster_client.initialize()
        return await super().execute(raise_on_error, allow_redirections)

    async def _reinitialize_on_error(self, error: Exception, failure_count: int) -> None:
        """Give the connection back before the next attempt: that may be for another node's pool."""
        connection, self._transaction_connection = self._transaction_connection, None
        if connection is not None and self._transaction_node is not None:
            try:
                await connection.disconnect()
            finally:
                self._transaction_node.release(connection)
        await super()._reinitialize_on_error(error, failure_count)  # type: ignore[no-untyped-call]


class _Pipeline(ClusterPipeline):
    def __init__(self, client: RedisCluster, transaction: bool | None = None) -> None:
        super().__init__(client, transaction)
        if transaction:
            self._execution_strategy = _Transaction(self)


class CheckedCluster(RedisCluster):
    """Looks at the data's format on each new connection."""

    def __init__(self, format_key: str, **options: Any) -> None:
        super().__init__(**options)
        self.connection_kwargs["redis_connect_func"] = known_format(format_key)
        for node in self.startup_nodes:
            node.connection_kwargs["redis_connect_func"] = known_format(format_key)

    def pubsub(self, *place: Any, **options: Any) -> ClusterPubSub:
        """Return what listens to channels; without it the client would have to be in use already."""
        return _ClusterListener(self, *place, **options)

    def pipeline(self, transaction: bool | None = None, _hint: Any = None) -> ClusterPipeline:
        """Return what sends several commands at once."""
        return _Pipeline(self, transaction)  # type: ignore[abstract]  # as redis-py makes its own

    async def aclose(self) -> None:
        """Close every connection, also when the nodes have to be found anew after a fault."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")


async def on_one_node(
    cluster: RedisCluster, key: str, commands: Sequence[tuple[str | int, ...]]
) -> list[Any]:
    """Send commands to the node that holds `key`, all over one connection; return the answers."""
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
