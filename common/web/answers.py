"""Answers that may be large: written out in a thread, and not on the event loop as FastAPI would."""

import asyncio
from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


async def answered(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a model as a JSON answer."""
    body = await asyncio.to_thread(_encoded, model)
    return Response(body, status, headers, media_type="application/json")


def _encoded(model: BaseModel) -> bytes:
    return model.model_dump_json().encode()
