"""Whole files: read and written under the rules that hold for an agent's calls, whatever their size."""

import base64

from agentic.api.client import AgenticClient
from agentic.harnesses.calls import Calls, output_of
from agentic.harnesses.opening import Opening
from common.errors import AgenticError, ClientError, ToolError
from common.files.paths import plain
from common.runs import Run

WINDOW = 64 * 1024
"""Bytes of a file that a call brings; the rest of a longer one is streamed, once that was allowed."""
INLINE = 1024 * 1024
"""Bytes that a call takes along; more is streamed, if rules let the call be made."""
_NO_FILE = "0" * 64
"""The hash of no content: a call that expects it changes nothing."""


class Contents:
    """The files of a session by their contents.

    The routes for whole files are a person's, and under no rules: nothing goes over them here
    before a call of the same tool, on the same path, was let through.
    """

    def __init__(self, client: AgenticClient, opening: Opening, calls: Calls) -> None:
        self._client = client
        self._opening = opening
        self._calls = calls

    async def read(self, path: str) -> bytes:
        """Return a file's bytes; raise AgenticError as `read_file` does."""
        part = await self._calls.make(
            "read_file", path=path, encoding="base64", offset=0, max_bytes=WINDOW, hash=False
        )
        if not part["truncated"]:
            return base64.b64decode(str(part["content"]))
        content = bytearray()
        session = await self._opening.session()
        async with self._client.files.read(session, plain(path)) as download:
            async for piece in download.pieces():
                content += piece
        return bytes(content)

    async def write(self, path: str, content: bytes) -> None:
        """Make or replace a file, with the directories above it; raise as `write_file` does."""
        if len(content) > INLINE or not await self._fits(path, content):
            await self._stream(path, content)

    async def create(self, path: str, content: bytes) -> None:
        """Make a new file, as one call takes it along; raise `already_exists` where one is."""
        await self._calls.make("write_file", path=path, mode="create", **_sent(content))

    async def _fits(self, path: str, content: bytes) -> bool:
        """Write a file by a call; return False for a service that takes no request of that size."""
        try:
            await self._calls.make("write_file", path=path, mode="upsert", **_sent(content))
        except ClientError as error:
            if error.code != "request_too_large":
                raise
            return False
        return True

    async def _stream(self, path: str, content: bytes) -> None:
        """Write a file that no call can take along; raise where that would have to be asked for."""
        probe = await self._calls.run(
            "write_file", path=path, content="", mode="replace", expected_sha256=_NO_FILE
        )
        _require_harmless(probe)
        if probe.approval != "never" or await self._asks():
            raise ToolError(
                "file_too_large",
                f"'{path}' of {len(content)} bytes is too large to be shown to a person first",
                path=path,
                actual=len(content),
            )
        session = await self._opening.session()
        await self._client.files.write(session, plain(path), content)

    async def _asks(self) -> bool:
        """Tell whether any rule may ask before a file is written: which paths it means is not seen here."""
        session = await self._client.session(await self._opening.session())
        user = await self._client.rules()
        rules = [*session.remembered, *session.rules, *user.rules]
        return any(rule.effect == "ask" and rule.tool in (None, "write_file") for rule in rules)


def _sent(content: bytes) -> dict[str, str]:
    """Return the arguments for a content: text as text, which a person can read."""
    try:
        return {"content": content.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"content": base64.b64encode(content).decode(), "encoding": "base64"}


def _require_harmless(probe: Run) -> None:
    """Raise what keeps a file from being written; that it has another content, or none, does not."""
    try:
        output_of(probe)
    except AgenticError as error:
        if error.code not in ("hash_mismatch", "path_not_found"):
            raise
