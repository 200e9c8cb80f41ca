"""Stores to be killed, cut off and promoted: what they confirm is on the disk, a SIGKILL loses nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.system import servers
from tests.system.servers import Server
from tests.system.services import wait_until

DURABLE = ("--appendfsync", "always")


@contextlib.contextmanager
def one_server(directory: Path) -> Iterator[Server]:
    """Yield a server that stands alone."""
    with servers.standalone(directory / "store", *DURABLE) as server:
        yield server


@contextlib.contextmanager
def master_and_replica(directory: Path) -> Iterator[tuple[Server, Server]]:
    """Yield two servers, of which the second follows the first until it is told otherwise."""
    with (
        servers.standalone(directory / "store-0", *DURABLE) as master,
        servers.standalone(directory / "store-1", *DURABLE) as replica,
    ):
        follow(replica, master)
        yield master, replica


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[list[Server]]:
    """Yield the three nodes of a cluster."""
    with servers.cluster(directory, 3, *DURABLE) as nodes:
        yield nodes


def follow(replica: Server, master: Server) -> None:
    """Make a server the replica of another, and wait until it has all of its data."""
    replica.ask("REPLICAOF", "127.0.0.1", master.port)
    wait_until(lambda: replica.info("replication")["master_link_status"] == "up")


def refuse_writes(server: Server, *, until_told: bool) -> None:
    """Answer NOREPLICAS to every write, or none any more: it asks for replicas nobody has."""
    server.ask("CONFIG", "SET", "min-replicas-to-write", 5 if until_told else 0)
