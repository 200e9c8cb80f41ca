"""Asks the workspace what it has changed since a base, and for the contents that are wanted."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing

from agentic.api.client import AgenticClient
from agentic.directory.pulling.fetching import fetch
from agentic.directory.pulling.incoming import Theirs, read_differences
from agentic.directory.pulling.staging import Staging
from agentic.directory.state import Known, LocalFile
from common.files.archives import ManifestFile

Files = Mapping[str, LocalFile]
LINES = 500
"""Lines of a manifest that are sent as one piece."""


async def changes(client: AgenticClient, session_id: str, known: Known) -> tuple[Files, Theirs]:
    """Return the base that counts, and what the workspace has changed since.

    A workspace that was deleted and made again has another generation: what was last seen of the
    old one says nothing of it, so that there is no base, and nothing is taken for deleted.
    """
    theirs = await _differences(client, session_id, known.base)
    if theirs.generation == known.generation or not known.base:
        return known.base, theirs
    return {}, await _differences(client, session_id, {})


async def _differences(client: AgenticClient, session_id: str, base: Files) -> Theirs:
    async with aclosing(client.archives.diff(session_id, manifest_of(base))) as lines:
        return await read_differences(lines, base)


async def take(
    client: AgenticClient,
    session_id: str,
    states: tuple[Files, Theirs],
    wanted: Files,
    staging: Staging,
) -> None:
    """Fetch the wanted files' contents: the manifest has all others as the workspace has them.

    `states` are the base and what differs from it. Raises `no_space` before it asks for more than
    can be kept.
    """
    if not wanted:
        return
    base, theirs = states
    staging.require_room(sum({file.sha256: file.size for file in wanted.values()}.values()))
    asked = {path: file for path, file in base.items() if path not in theirs.skipped}
    for path, file in theirs.files.items():
        if path in wanted:
            continue
        asked.pop(path, None)
        if file is not None:
            asked[path] = file
    async with client.archives.get_differences(session_id, manifest_of(asked)) as archive:
        await fetch(archive, asked, wanted, staging)


def manifest_of(files: Files) -> Callable[[], AsyncIterator[bytes]]:
    """Return what makes the body that tells of these files."""

    async def pieces() -> AsyncIterator[bytes]:
        lines = []
        for path, file in sorted(files.items()):
            lines.append(_line(path, file))
            if len(lines) == LINES:
                yield b"".join(lines)
                lines.clear()
        yield b"".join(lines)

    return pieces


def _line(path: str, file: LocalFile) -> bytes:
    mode = "0755" if file.is_executable else "0644"
    entry = ManifestFile(path=path, sha256=file.sha256, size=file.size, mode=mode)
    return entry.model_dump_json(exclude_defaults=True).encode() + b"\n"
