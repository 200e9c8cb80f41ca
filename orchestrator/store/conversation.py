"""What the owner of a lease needs while a model decides: what people said, what it may spend, what it says."""

import secrets
from collections.abc import Sequence

from common.plans import Message, Usage
from orchestrator.store.backend import Backend
from orchestrator.store.encoding.spending import dump_usage, nanodollars
from orchestrator.store.fencing import write_as_owner
from orchestrator.store.records import Lease, off_loop


class Conversation:
    """Every write raises Fenced once there is a newer owner; one sent twice takes effect once."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def messages(self, lease: Lease) -> list[Message]:
        """Return what people have sent and no turn has kept yet, in order.

        Those that a turn is shown leave when it is stored: `Progress.record_turn`.
        """
        inbox = self._backend.keys.inbox(lease.session.id, lease.run.id)
        found = await self._backend.do(self._backend.redis.lrange(inbox, 0, -1))
        return await off_loop(sum(map(len, found)), _read, found)

    async def reserve(self, lease: Lease, tokens: int, cost: float | None) -> None:
        """Charge what a request may take, before it is made; `cost` in US dollars.

        Where the one before was never settled, what was reserved for that is lost.
        """
        await write_as_owner(
            self._backend, "reserve", lease, _new_mark(), tokens, nanodollars(cost)
        )

    async def settle(self, lease: Lease, usage: Usage) -> None:
        """Charge what a request took of which no turn comes, in place of what was reserved for it."""
        await write_as_owner(self._backend, "settle", lease, _new_mark(), dump_usage(usage))

    async def append_text(self, lease: Lease, t: int, before: int, text: str) -> None:
        """Show more of what the planner says on its way to turn `t`, also to those who follow.

        `before`: how many bytes in UTF-8 it has said before this; at 0 it begins anew.
        """
        await write_as_owner(
            self._backend,
            "append_text",
            lease,
            _new_mark(),
            t,
            before,
            text,
            self._backend.keys.text_channel(lease.session.id),
        )


def _new_mark() -> str:
    """Name one write: another with the same content is no repetition of it."""
    return secrets.token_hex(8)


def _read(found: Sequence[str]) -> list[Message]:
    return [Message.model_validate_json(text) for text in found]
