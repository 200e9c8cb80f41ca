"""Pull: exactly what the workspace changed comes into the directory, file by file, or nothing."""

import asyncio
import hashlib
from dataclasses import dataclass, field

from agentic.api.client import AgenticClient
from agentic.directory.comparing import confirm
from agentic.directory.faults import refusal
from agentic.directory.kept.blobs import MAX_SIZE
from agentic.directory.pulling.applying import Observe
from agentic.directory.pulling.asking import Files, changes, take
from agentic.directory.pulling.conflicts import require_none
from agentic.directory.pulling.finishing import carry_out, finish
from agentic.directory.pulling.incoming import Theirs, require_tree, respelt
from agentic.directory.pulling.journal import Journal, Record, unobserved
from agentic.directory.pulling.looking import content_of, look
from agentic.directory.pulling.merging import Merger, merge, merge_all
from agentic.directory.pulling.planning import Choice, Plan, Step, plan
from agentic.directory.pulling.repositories import require_no_repository
from agentic.directory.root import Root
from agentic.directory.state import LocalFile, State
from agentic.directory.writing import Writer
from common.errors import AgenticError


@dataclass(frozen=True)
class Pulled:
    """What a pull did. `kept`: paths that stay as they are here, for the next push to send."""

    steps: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    """Merged files in which a person has to decide on marked places."""
    skipped: list[str] = field(default_factory=list)
    """Where the workspace has a link or the like by now, or a `.git`, which is not taken."""
    recovered: list[Step] = field(default_factory=list)
    """What an earlier pull that was interrupted had left, and was done first."""


async def pull(
    client: AgenticClient,
    session_id: str,
    root: Root,
    state: State,
    *,
    choice: Choice | None = None,
    merger: Merger = merge,
    observe: Observe = unobserved,
    seen: Theirs | None = None,
) -> Pulled:
    """Bring what the workspace changed since the last push or pull into the directory.

    `seen` is what a person has looked at before: raises `invalid_state` where it is another by now.

    Raises `changed_elsewhere` where both sides changed something, unless a choice says what is to
    become of it: nothing was changed then; and where a file was changed here during the pull: what
    was done until then stays. After every other AgenticError a next pull finishes what was begun.
    """
    writer = Writer(root)  # raises where files cannot be written safely
    recovered = await finish(root, state, observe=observe)
    await confirm(client, session_id, state)
    base, theirs = await changes(client, session_id, state.known)
    if seen is not None and theirs != seen:
        raise _unseen()
    made = await asyncio.to_thread(_planned, root, writer, base, theirs, choice)
    require_none(made.conflicts, choice)
    journal = Journal(state, observe)
    wanted = _wanted(made, theirs)
    try:
        await asyncio.to_thread(journal.staging.begin)
        await take(client, session_id, (base, theirs), wanted, journal.staging)
        marked = await asyncio.to_thread(_merge, made, root, state, journal, wanted, merger)
        require_none(made.conflicts, choice)
    except (AgenticError, asyncio.CancelledError):
        await asyncio.to_thread(journal.staging.clear)
        raise
    observe("fetched", "")
    record = Record(generation=theirs.generation, steps=made.steps, base=made.base)
    await asyncio.to_thread(journal.write, record)
    done = await carry_out(journal, root, is_begun=False)
    require_none(done.conflicts, choice)
    return Pulled(done.done, made.kept, marked, theirs.left_out, recovered.done)


def _unseen() -> AgenticError:
    detail = "The workspace has changed since its changes were shown"
    hint = "Nothing was changed here. agentic diff shows them as they are now, agentic pull takes them."
    return refusal("invalid_state", detail, hint=hint)


def _planned(
    root: Root, writer: Writer, base: Files, theirs: Theirs, choice: Choice | None
) -> Plan:
    there = theirs.beside(base)
    require_tree(there, writer.is_case_blind)
    require_no_repository(root, theirs.files.keys() & there, there)
    mine = {path: look(root, path) for path in theirs.files}
    renamed = [path for path in respelt(theirs) if isinstance(mine[path], LocalFile)]
    if renamed and writer.is_case_blind():
        mine |= dict.fromkeys(renamed)
    return plan(base, mine, theirs, choice)


def _wanted(made: Plan, theirs: Theirs) -> dict[str, LocalFile]:
    """Return the workspace's files whose contents are needed."""
    paths = [step.path for step in made.steps if step.needs_content]
    paths += [one.path for one in made.merges]
    return {path: file for path in paths if (file := theirs.files[path]) is not None}


def _merge(
    made: Plan, root: Root, state: State, journal: Journal, wanted: Files, merger: Merger
) -> list[str]:
    """Merge what is to be merged; the texts that both have now are what the next merge starts from.

    Returns the paths of those with marked places.
    """
    marked = merge_all(made, root, state.blobs, journal.staging, merger)
    for file in wanted.values():
        if file.size <= MAX_SIZE:
            state.blobs.keep(file.sha256, b"".join(journal.staging.read(file.sha256)))
    for path in made.same:
        content = content_of(root, path, MAX_SIZE)
        state.blobs.keep(hashlib.sha256(content).hexdigest(), content)
    return marked
