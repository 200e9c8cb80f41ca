"""redis-py's client of a cluster, with what it lacks for us: a look at the format, channels, an end."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import ClusterPubSub, PipelineCommand, RedisCluster
from redis.exceptions import AskError

from orchestrator.store.server.formats import known_format


class _ClusterListener(ClusterPubSub):
    """Listens on the node that has the channel's slot at the time."""

    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Find the node by a command that is sent again wherever the cluster says."""
        if self.connection is None and len(command) > 1:
            await self.cluster.ttl(command[1])
        return await super().execute_command(*command, **options)


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
