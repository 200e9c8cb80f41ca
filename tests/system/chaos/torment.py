"""What befalls the processes: drawn by lot, repeated by the seed, undone in the end."""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from tests.system.chaos.proxy import Proxy
from tests.system.chaos.stores import follow, refuse_writes
from tests.system.servers import Server
from tests.system.services import Service

LOOK = 0.05
Blow = Callable[[], Awaitable[None]]


class Keeper:
    """Starts a service again whenever it has ended, as a container engine would."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.is_expected_to_end = False
        self.gave_up: list[int] = []
        """Codes of the ends that nobody had asked for."""

    async def keep(self) -> None:
        """Look after the service until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            code = self._process.poll()
            if code is None:
                continue
            if not self.is_expected_to_end:
                self.gave_up.append(code)
            self.is_expected_to_end = False
            self.service.start(wait=False)

    def send(self, number: int) -> None:
        """Send a signal, to end it if that does."""
        self.is_expected_to_end = number in (signal.SIGKILL, signal.SIGTERM)
        self._process.send_signal(number)

    async def end(self, number: int) -> None:
        """Send a signal that ends it, and wait until it serves again: else none would, most times."""
        ended = self._process
        self.send(number)
        while self._process is ended or not await _listens(self.service.port):
            await asyncio.sleep(LOOK)

    @property
    def _process(self):
        assert self.service.process is not None
        return self.service.process


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


class Torment:
    """Deals the blows and counts them by kind."""

    def __init__(self, seed: int, seconds: float, lease: float) -> None:
        self._seed = seed
        self._seconds = seconds
        self._lease = lease
        self.dealt: Counter[str] = Counter()
        self.times: list[str] = []
        """What befell whom, and when."""

    async def deal(self, name: str, blows: dict[str, Blow], rounds: int) -> None:
        """Deal every kind of blow once a round, in an order and at moments drawn by lot."""
        chance = random.Random(f"{self._seed} {name}")  # noqa: S311  # to be repeated
        pause = self._seconds / (rounds * len(blows))
        for _ in range(rounds):
            for kind in chance.sample(sorted(blows), len(blows)):
                await asyncio.sleep(pause * chance.uniform(0.3, 1.0))
                self.dealt[f"{name.rstrip('0123456789 ')}: {kind}"] += 1
                begun = datetime.now(UTC)
                await blows[kind]()
                self.times.append(f"{begun:%H:%M:%S} to {datetime.now(UTC):%H:%M:%S} {name} {kind}")

    def on_orchestrator(self, keeper: Keeper, name: str) -> dict[str, Blow]:
        """Return what befalls an orchestrator: killed, told to end, paused beyond its lease or not."""
        chance = random.Random(f"{self._seed} {name} pauses")  # noqa: S311  # to be repeated

        async def pause() -> None:
            keeper.send(signal.SIGSTOP)
            try:
                await asyncio.sleep(self._lease * chance.uniform(0.2, 2.0))
            finally:
                keeper.send(signal.SIGCONT)

        return {"killed": _ending(keeper, signal.SIGKILL), "paused": pause,
                "told to end": _ending(keeper, signal.SIGTERM)}  # fmt: skip


def on_execution(keeper: Keeper) -> dict[str, Blow]:
    """Return what befalls the execution environment."""
    return {"killed": _ending(keeper, signal.SIGKILL)}


def _ending(keeper: Keeper, number: int) -> Blow:
    return lambda: keeper.end(number)


def on_stores(stores: Sequence[Server], seed: int) -> dict[str, Blow]:
    """Return what befalls a store, one of several drawn by lot each time."""
    chance = random.Random(f"{seed} stores")  # noqa: S311  # to be repeated

    async def kill() -> None:
        store = chance.choice(stores)
        await asyncio.to_thread(store.kill)
        await asyncio.sleep(chance.uniform(0.1, 2.0))
        await asyncio.to_thread(store.start)

    async def drop() -> None:
        await asyncio.to_thread(chance.choice(stores).drop_connections)

    async def refuse() -> None:
        store = chance.choice(stores)
        await asyncio.to_thread(refuse_writes, store, until_told=True)
        await asyncio.sleep(chance.uniform(1.0, 3.0))
        await asyncio.to_thread(refuse_writes, store, until_told=False)

    return {"killed": kill, "connections dropped": drop, "writes refused": refuse}


def on_pair(pair: Sequence[Server], way: Proxy, seed: int) -> dict[str, Blow]:
    """Return what befalls a master and its replica; the way leads to whoever is master now."""
    chance = random.Random(f"{seed} stores")  # noqa: S311  # to be repeated
    roles = list(pair)

    async def promote() -> None:
        """Make the replica the master, as a Sentinel would."""
        roles.reverse()
        await asyncio.to_thread(roles[0].ask, "REPLICAOF", "NO", "ONE")

    async def switch() -> None:
        way.target = roles[0].port
        await way.drop()

    async def demote() -> None:
        """For a while both take writes, and what the old master took is lost; then it takes none."""
        await promote()
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        await asyncio.to_thread(follow, roles[1], roles[0])
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        await switch()

    async def lose() -> None:
        await asyncio.to_thread(roles[0].kill)
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        await promote()
        await switch()
        await asyncio.to_thread(roles[1].start)
        await asyncio.to_thread(follow, roles[1], roles[0])

    return {"master demoted": demote, "master lost": lose, "connections dropped": way.drop}
