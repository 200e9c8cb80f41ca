"""Fetches the contents that a pull needs: each is hashed as it arrives, into a staging area.

Nothing but what was asked for is taken: not another content, another size, nor one piece more.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from agentic.api.archives import differences_in
from agentic.directory.faults import distrust, refusal
from agentic.directory.pulling.incoming import read_theirs
from agentic.directory.pulling.staging import PIECE, Staging
from agentic.directory.state import LocalFile
from common.files.archives import MANIFEST
from common.files.tar_stream import MalformedTar, TarReader


async def fetch(
    archive: AsyncIterator[bytes],
    asked: Mapping[str, LocalFile],
    wanted: Mapping[str, LocalFile],
    staging: Staging,
) -> None:
    """Take the contents of the wanted files out of the archive that answers the manifest `asked`.

    Raises `upstream_failed` for everything else than just these.
    """
    sizes = {file.sha256: file.size for file in wanted.values()}
    reader = TarReader(archive)
    try:
        await _read_manifest(reader, asked, wanted)
        while (member := await reader.next_member()) is not None:
            if sizes.pop(member.name, None) != member.size:
                raise distrust(f"its member '{member.name}' was not asked for, or not so large")
            await _receive(reader, member.name, staging)
    except MalformedTar as error:
        raise distrust(f"it is no archive: {error}") from error
    if sizes:
        raise distrust(f"{len(sizes)} contents are missing in it")
    await asyncio.to_thread(staging.settle)


async def _read_manifest(
    reader: TarReader, asked: Mapping[str, LocalFile], wanted: Mapping[str, LocalFile]
) -> None:
    member = await reader.next_member()
    if member is None or member.name != MANIFEST:
        raise distrust("its archive does not begin with its manifest")
    content = reader.content()
    async with aclosing(differences_in(content)) as lines:
        theirs = await read_theirs(lines, asked)
    if await anext(content, None) is not None:
        raise distrust("its manifest does not end with its end line")
    if theirs.files != wanted:
        raise refusal(
            "upstream_failed",
            "The workspace was changed while it was read",
            hint="Nothing was changed here. Pull again.",
        )


async def _receive(reader: TarReader, sha256: str, staging: Staging) -> None:
    """Write a member's content in large pieces: each goes through a thread."""
    with staging.receiving(sha256) as incoming:
        held = bytearray()
        async for piece in reader.content():
            held += piece
            if len(held) >= PIECE:
                await asyncio.to_thread(incoming.write, bytes(held))
                held.clear()
        await asyncio.to_thread(incoming.settle, bytes(held))
