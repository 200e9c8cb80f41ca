"""Answers that may be large: written out in a thread, or sent piece by piece until a deadline."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pydantic import BaseModel
from starlette.responses import Response

from common.errors import SystemFault
from common.off_loop import is_small, off_loop


async def answered(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a model as a JSON answer: FastAPI would encode a large one on the event loop as well."""
    body = await off_loop(is_small(model), _encoded, model)
    return Response(body, status, headers, media_type="application/json")


def _encoded(model: BaseModel) -> bytes:
    return model.model_dump_json().encode()


@asynccontextmanager
async def sent_within(seconds: float) -> AsyncIterator[None]:
    """Send an answer; raise `deadline_exceeded` when its client has not taken it by then."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as late:
        raise SystemFault("deadline_exceeded", "The client takes the answer too slowly") from late
