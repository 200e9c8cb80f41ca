"""Passes on what Redis publishes: new events to the followers, cancels to the worker, runs that settled."""

import asyncio
from collections.abc import Callable

from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.events import EventLog

PAUSE = 1.0
"""Seconds before listening again after the store failed."""


async def relay(
    events: EventLog,
    on_event: Callable[[str], None],
    on_cancel: Callable[[str], None],
    on_settled: Callable[[str], None],
) -> None:
    """Listen until cancelled. A notification that is lost only costs time: everybody also looks itself."""
    others = {"cancel": on_cancel, "settled": on_settled}
    while True:
        try:
            async for kind, subject in events.notifications():
                others.get(kind, on_event)(subject)
        except StoreUnavailable:  # the store has logged it
            await asyncio.sleep(PAUSE)
