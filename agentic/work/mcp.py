"""What serves MCP to the program that has started it: `mcp`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pydantic import JsonValue

from agentic.api.requests import Requests
from agentic.api.transport import connect, path_of, refusal
from agentic.local.services import PROJECT
from agentic.local.sharing import SharedStack
from agentic.work import inputs
from agentic.work.ending import ExitCode
from agentic.work.here import require_name
from agentic.work.target import AGENT, Target
from common.errors import AgenticError
from common.models import Lenient

LOOK = 5.0
"""Seconds in which an orchestrator says that it is there."""
Locate = Callable[[bool], Awaitable[str]]
_INFO = {"name": "agentic", "version": version(PROJECT)}


class _Health(Lenient):
    """What an orchestrator says of itself."""

    status: str
    facts: dict[str, JsonValue]


@dataclass(frozen=True)
class Source:
    """What is served: a workspace, or without one the user's runs, and by whom.

    `target` is the server that was named, or else where one may be, unless there is a `data_dir`.
    """

    workspace: str | None
    target: Target
    is_named: bool
    data_dir: Path | None

    def __post_init__(self) -> None:
        """Refuse what no workspace is called."""
        if self.workspace is not None:
            require_name(self.workspace)

    @property
    def path(self) -> str:
        """The door's."""
        return path_of("mcp", *([] if self.workspace is None else [self.workspace]))

    @asynccontextmanager
    async def located(self) -> AsyncIterator[Locate]:
        """Yield what finds the orchestrator: a server, or the stack of a directory, which may be started."""
        url = self.target.url
        if self.is_named or (self.data_dir is None and await _serves(url)):
            yield _always(url)
            return
        async with SharedStack(self.data_dir or inputs.default_data_dir()) as shared:
            yield shared.url


async def serve(source: Source) -> int:
    """Serve it until standard input ends."""
    try:  # whoever has only the client has no such library; and it takes a second
        from agentic.mcp.bridge import bridge_to  # noqa: PLC0415
        from agentic.mcp.messages import Messages  # noqa: PLC0415
        from agentic.mcp.upstream import Upstream, Where  # noqa: PLC0415
        from agentic.mcp.wire import taken  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise refusal(
            "MCP needs a library that is not installed", hint=f"pip install '{PROJECT}[mcp]'"
        ) from error
    with taken() as wire:
        async with source.located() as locate:
            where = Where(locate, source.path, source.target.api_key, AGENT)
            async with Upstream(where) as upstream:
                server = await bridge_to(upstream, _INFO)
                options = server.create_initialization_options()
                await Messages(wire).serve(partial(server.run, initialization_options=options))
    return ExitCode.SUCCEEDED


def _always(url: str) -> Locate:
    async def locate(_is_lost: bool) -> str:
        return url

    return locate


async def _serves(url: str) -> bool:
    """Tell whether an orchestrator is there, ready or not; what else may listen there is none."""
    async with connect(url, None, AGENT, LOOK) as http:
        try:
            await Requests(http, LOOK, LOOK).read("/health/ready", _Health)
        except AgenticError as error:
            return error.source == "orchestrator"
    return True
