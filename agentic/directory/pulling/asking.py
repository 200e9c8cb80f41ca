"""Asks the workspace what it has changed since a base, and for the contents that are wanted."""

from collections.abc import Mapping
from contextlib import aclosing

from agentic.api.client import AgenticClient
from agentic.directory.archives import manifest_body
from agentic.directory.comparing import settle
from agentic.directory.pulling.fetching import fetch
from agentic.directory.pulling.incoming import Theirs, read_theirs
from agentic.directory.pulling.staging import Staging
from agentic.directory.state import Known, LocalFile

Files = Mapping[str, LocalFile]


async def changes(client: AgenticClient, session_id: str, known: Known) -> tuple[Files, Theirs]:
    """Return the base that counts, and what the workspace has changed since.

    A workspace that was deleted and made again has another generation: what was last seen of the
    old one says nothing of it, so that there is no base, and nothing is taken for deleted. One that
    is not there has no generation, and is no workspace that was ever seen.
    """
    theirs = await _differences(client, session_id, known.base)
    is_known = theirs.generation is not None and theirs.generation == known.generation
    if is_known or not known.base:
        base = dict(known.base)
        settle(base, known.pending, lambda path: theirs.files.get(path, base.get(path)))
        return base, theirs
    return {}, await _differences(client, session_id, {})


async def _differences(client: AgenticClient, session_id: str, base: Files) -> Theirs:
    async with aclosing(client.archives.diff(session_id, manifest_body(base))) as lines:
        return await read_theirs(lines, base)


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
    asked |= theirs.barred
    for path, file in theirs.files.items():
        if path in wanted:
            continue
        asked.pop(path, None)
        if file is not None:
            asked[path] = file
    async with client.archives.get_differences(session_id, manifest_body(asked)) as archive:
        await fetch(archive, asked, wanted, staging)
