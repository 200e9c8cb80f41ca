"""Passes on what Redis publishes: new events to the followers, cancels to the worker."""

import asyncio
from collections.abc import Callable

from common.errors import SystemFault
from common.logs import get_logger
from orchestrator.store.events import EventLog

log = get_logger(__name__)
PAUSE = 1.0
"""Seconds before listening again after the store failed."""


async def relay(
    events: EventLog, on_event: Callable[[str], None], on_cancel: Callable[[str], None]
) -> None:
    """Listen until cancelled. A notification that is lost only costs time: everybody also looks itself."""
    while True:
        try:
            async for kind, subject in events.notifications():
                (on_cancel if kind == "cancel" else on_event)(subject)
        except SystemFault as failure:
            log.warning("no notifications from the store", detail=failure.detail)
            await asyncio.sleep(PAUSE)
