"""Asks a model until it has answered: reserves what that may cost, waits, and asks again."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from common.logs import get_logger
from common.plans import Usage
from orchestrator.planners.llm.conversation import Model, ModelFault, ModelRequest, Reply, TooLong
from orchestrator.planners.protocol import Left, Surroundings

log = get_logger(__name__)

FIRST_WAIT = 1.0
"""Seconds before the second attempt; each further one waits twice as long, up to LONGEST_WAIT."""
LONGEST_WAIT = 60.0
"""Seconds; a provider that asks for more is asked again then."""
LEAST_OUTPUT = 256
"""Tokens of an answer that are worth a request: with fewer left, the budget is used up."""
_NOTHING = Usage()


def _jitter() -> float:
    return random.uniform(0.75, 1.25)  # noqa: S311


@dataclass(frozen=True)
class Asker:
    """Makes up to `attempts` requests for one answer."""

    attempts: int
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = _jitter

    async def ask(
        self, model: Model, request: ModelRequest, tokens: int, around: Surroundings, left: Left
    ) -> Reply:
        """Return the answer; `tokens` is how long the request is, as far as that can be told.

        Raises TooLong, `budget_exceeded` (from the purse), or the fault that the last attempt ended
        with: one that is not retryable, the last of all, or one after which the run has no time left
        to wait. What a failed attempt may have cost stays reserved.
        """
        attempt = _Attempt(model, request, tokens, around, left)
        until = None if left.seconds is None else self.clock() + left.seconds
        for number in range(1, self.attempts + 1):
            try:
                return await attempt.make()
            except ModelFault as fault:
                wait = self._wait(fault, number)
                is_late = until is not None and self.clock() + wait >= until
                if not fault.retryable or is_late or number == self.attempts:
                    raise
                log.warning("model_is_asked_again", model=model.name, code=fault.code, wait=wait)
                await self.sleep(wait)
        raise AssertionError("the last attempt has raised")  # for `attempts` below 1

    def _wait(self, fault: ModelFault, number: int) -> float:
        """Return the seconds to wait after this many attempts."""
        backoff: float = min(FIRST_WAIT * 2 ** (number - 1), LONGEST_WAIT) * self.jitter()
        asked = 0.0 if fault.retry_after is None else fault.retry_after.total_seconds()
        return min(max(backoff, asked), LONGEST_WAIT)


class _Attempt:
    """A request that can be made several times."""

    def __init__(
        self, model: Model, request: ModelRequest, tokens: int, around: Surroundings, left: Left
    ) -> None:
        self._model = model
        self._request = request
        self._tokens = tokens
        self._around = around
        self._left = left
        self._has_spoken = False

    async def make(self) -> Reply:
        """Reserve, take back what an attempt before has said, and ask."""
        most = self._reservation()
        await self._around.purse.reserve(
            most.input_tokens + most.output_tokens, self._model.price_of(most)
        )
        if self._has_spoken:
            self._has_spoken = False
            await self._around.speech.begin_again()
        try:
            request = replace(self._request, max_output=most.output_tokens)
            return await self._model.ask(request, self._say)
        except TooLong:
            await self._around.purse.settle(_NOTHING)
            raise
        except ModelFault as fault:
            await self._account(fault, most)
            raise

    async def _say(self, text: str) -> None:
        self._has_spoken = True
        await self._around.speech.say(text)

    async def _account(self, fault: ModelFault, most: Usage) -> None:
        if not fault.has_cost:
            await self._around.purse.settle(_NOTHING)
            return
        self._left = _without(self._left, most, self._model.price_of(most))

    def _reservation(self) -> Usage:
        """Return the most that the request can take: a shorter answer, when the budget ends it."""
        most = self._request.max_output
        if self._left.tokens is not None:
            most = min(most, self._left.tokens - self._tokens)
        if self._left.cost is not None:
            most = min(most, self._affordable(most, self._left.cost))
        least = min(LEAST_OUTPUT, self._request.max_output)
        return Usage(input_tokens=self._tokens, output_tokens=max(most, least))

    def _affordable(self, most: int, cost: float) -> int:
        """Return the tokens of an answer that so many dollars pay for, beside the request."""
        read = self._model.price_of(Usage(input_tokens=self._tokens))
        whole = self._model.price_of(Usage(input_tokens=self._tokens, output_tokens=most))
        if read is None or whole is None or whole <= cost:
            return most
        return int(most * (cost - read) / (whole - read)) if whole > read else 0


def _without(left: Left, lost: Usage, cost: float | None) -> Left:
    """Return what is left when that much may have been spent for nothing."""
    tokens = None if left.tokens is None else left.tokens - lost.input_tokens - lost.output_tokens
    money = left.cost if left.cost is None or cost is None else left.cost - cost
    return replace(left, tokens=tokens, cost=money)
