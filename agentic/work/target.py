"""Where a command's requests go: an orchestrator that serves, or a stack for the command alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import typer

from agentic.api.client import AgenticClient
from agentic.local.stack import running_stack
from agentic.work import inputs

AGENT = f"agentic-cli/{version('agentic-framework')}"


@dataclass(frozen=True)
class OwnStack:
    """A stack for the length of a command: the orchestrator's settings, and where its data lies."""

    settings: dict[str, str]
    data_dir: Path


@dataclass(frozen=True)
class Target:
    """An orchestrator, and the key to show."""

    url: str
    api_key: str | None
    own: OwnStack | None = None

    def __post_init__(self) -> None:
        """Refuse a key that no header can carry."""
        if self.api_key is not None and not (self.api_key.isascii() and self.api_key.isprintable()):
            raise typer.BadParameter(
                "--api-key (AGENTIC_API_KEY) is no key: it has line breaks, or is not in ASCII"
            )

    @property
    def server(self) -> str:
        """What tells the server from others: its URL; of a stack of its own, where its data lies."""
        return self.url if self.own is None else self.own.data_dir.absolute().as_uri()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AgenticClient]:
        """Yield a client of it; raises StackError where the stack cannot be had."""
        async with AsyncExitStack() as stack:
            url = self.url
            if self.own is not None:
                running = running_stack(self.own.data_dir, settings=self.own.settings)
                url = (await stack.enter_async_context(running)).url
            client = AgenticClient(url, self.api_key, agent=AGENT)
            yield await stack.enter_async_context(client)


def chosen(
    url: str,
    api_key: str | None,
    *,
    model: str | None,
    base_url: str | None,
    is_local: bool,
    data_dir: Path | None,
) -> Target:
    """Return the stack of its own that a command asks for with its model, or the orchestrator."""
    if not (base_url or is_local):
        return Target(url, api_key)
    settings = inputs.model_settings(model, base_url)
    return Target(url, api_key, OwnStack(settings, data_dir or inputs.default_data_dir()))
