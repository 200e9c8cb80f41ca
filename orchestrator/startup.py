"""Says in one clear line, not in a traceback, why the service does not start."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.planners.llm.config import UnusableModel
from orchestrator.store.server.embedded import EmbeddedServerError
from orchestrator.store.server.formats import UnknownFormat


@contextmanager
def noted_refusal(state: State) -> Iterator[None]:
    """Note in the application's state what its store or its model refuses to start for."""
    try:
        yield
    except (EmbeddedServerError, UnusableModel) as refusal:
        state.refusal = str(refusal)
        raise
    except UnknownFormat as refusal:
        state.refusal = f"the session store cannot be used: {refusal}"
        raise


class ClearStart:
    """ASGI middleware: a start that failed says the refusal that was noted."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but for the message of a start that failed."""
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_clearly(message: Message) -> None:
            refusal = getattr(scope["app"].state, "refusal", None)
            if message["type"] == "lifespan.startup.failed" and refusal is not None:
                message = {**message, "message": refusal}
            await send(message)

        await self.app(scope, receive, send_clearly)
