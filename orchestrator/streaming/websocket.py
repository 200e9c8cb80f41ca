"""A session's events over a WebSocket: each a text message, the same JSON as over SSE.

What the client sends is passed over: commands go by REST.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestrator.streaming.frames import Frame

END, FAILED, SERVICE_RESTART, TRY_AGAIN = 1000, 1011, 1012, 1013
UNAUTHENTICATED, NOT_FOUND = 4401, 4404
"""Why a connection is closed: RFC 6455, 7.4 and its registry; from 4000 on they are our own."""


async def send_events(socket: WebSocket, batches: AsyncIterator[Sequence[Frame]]) -> int | None:
    """Send until the events or the client end; return the code to close with (None: it has left).

    A client that is too slow has left: common/web/protocols/sockets.py has closed the connection.
    """
    sending = asyncio.create_task(_send(socket, batches))
    leaving = asyncio.create_task(_until_left(socket))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await sending if sending.done() else None
    finally:
        await _end(sending)
        await _end(leaving)


async def _send(socket: WebSocket, batches: AsyncIterator[Sequence[Frame]]) -> int | None:
    try:
        async for batch in batches:
            for frame in batch:
                await socket.send_text(frame.json)
    except WebSocketDisconnect:
        return None
    return END


async def _until_left(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _end(task: asyncio.Task[int | None] | asyncio.Task[None]) -> None:
    """Cancel a task, again where a command of Redis swallows that (asyncio.wait_for before 3.12)."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
