"""Measures what the loop's own thread does between two turns of the loop, in seconds of its CPU."""

import asyncio
import gc
import time
from contextlib import asynccontextmanager


class LoopProbe:
    """Times each turn of the running loop while it watches.

    CPU of the thread and no time of the day: what other processes and other threads do meanwhile
    counts for nothing.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        """The most of one turn."""

    @asynccontextmanager
    async def watching(self):
        """Watch the turns of the running loop."""
        loop = asyncio.get_running_loop()
        turn = loop._run_once  # what `run_forever` repeats

        def timed() -> None:
            started = time.thread_time()
            turn()
            self.worst = max(self.worst, time.thread_time() - started)

        gc.collect()
        gc.freeze()  # what pytest holds is no part of a service
        loop._run_once = timed
        try:
            await asyncio.sleep(0)  # the turn that this is in has begun before
            yield self
            await asyncio.sleep(0)
        finally:
            loop._run_once = turn
            gc.unfreeze()


async def least_of(attempts: int, bound: float, act) -> float:
    """Return the worst turn during `act()`; the least of some attempts, until one is within bounds.

    What the code does it does each time; what a busy machine adds to it, it does not.
    """
    worst: list[float] = []
    while not worst or (len(worst) < attempts and worst[-1] > bound):
        probe = LoopProbe()
        async with probe.watching():
            await act()
        worst.append(probe.worst)
    return min(worst)
