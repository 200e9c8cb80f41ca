"""What goes on beside the requests: started here, watched, ended together."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from common.logs import get_logger

log = get_logger(__name__)


class Supervisor:
    """Keeps the parts of the service that run for as long as it does.

    A part waits by itself while the store is away. One that ends with anything else is a mistake of
    ours, that nobody knows how to go on from: the process ends, and is started anew by its keeper.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._parts: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a part until it ends by itself, or is stopped."""
        part = self._parts[name] = asyncio.create_task(work, name=name)
        part.add_done_callback(self._ended)

    def _ended(self, part: asyncio.Task[None]) -> None:
        if not part.cancelled() and part.exception() is not None:
            log.critical(
                "a part of the service has failed", part=part.get_name(), exc_info=part.exception()
            )
            self._on_failure()

    def states(self) -> dict[str, str | None]:
        """Return for each part why it does not run any more; None: it does."""
        return {name: _reason(part) for name, part in self._parts.items()}

    async def stop(self, names: tuple[str, ...], seconds: float) -> None:
        """Wait for these parts, which end by themselves, and then end all that still run."""
        waited = [part for name, part in self._parts.items() if name in names]
        if waited:
            await asyncio.wait(waited, timeout=seconds)
        for part in self._parts.values():
            part.cancel()
        await asyncio.gather(*self._parts.values(), return_exceptions=True)


def _reason(part: asyncio.Task[None]) -> str | None:
    if not part.done():
        return None
    has_failed = not part.cancelled() and part.exception() is not None
    return "it has failed, and the log says why" if has_failed else "it has ended"
