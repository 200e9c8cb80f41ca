"""What others ask of a run while it goes on."""

import asyncio
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Signals:
    """`cancelled`: end the run, waiting calls included. `draining`: stop at the next step."""

    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    draining: asyncio.Event = field(default_factory=asyncio.Event)
