"""Carries out a pull's journal beside the event loop: at once, or after a crash.

What stands in its way is told as what it is: a pull that has begun, and can be gone on with.
"""

import asyncio
import threading
from contextlib import suppress

from agentic.directory.faults import refusal
from agentic.directory.pulling.applying import Observe
from agentic.directory.pulling.journal import Finished, Interrupted, Journal, unobserved
from agentic.directory.root import Root
from agentic.directory.state import State
from common.errors import AgenticError

_GO_ON = "After that any command here goes on with it; agentic pull --give-up leaves it as far as it came."


async def finish(root: Root, state: State, *, observe: Observe = unobserved) -> Finished:
    """Finish a pull that was interrupted, if there is one: what every command does first.

    A file that was edited here since stops it: it is told in a note, and left to the next pull.
    """
    finished = await carry_out(Journal(state, observe), root, is_begun=True)
    for one in finished.conflicts:
        state.notes.append(
            f"A pull was interrupted, and '{one.path}' was edited since: pull again."
        )
    return finished


async def give_up(root: Root, state: State) -> Finished:
    """End a pull that cannot be finished as far as it came: `Journal.give_up`, and no server."""
    return await asyncio.to_thread(Journal(state).give_up, root)


async def carry_out(journal: Journal, root: Root, *, is_begun: bool) -> Finished:
    """Do what the journal says. Who is cancelled waits for the file at work, and leaves the rest."""
    stop = threading.Event()
    work = asyncio.ensure_future(
        asyncio.to_thread(journal.finish, root, is_begun=is_begun, is_stopped=stop.is_set)
    )
    try:
        return await asyncio.shield(work)
    except AgenticError as error:
        raise _unfinished(error, is_begun=is_begun) from error
    except asyncio.CancelledError:
        stop.set()
        with suppress(Interrupted, AgenticError):
            await work
        raise


def _unfinished(error: AgenticError, *, is_begun: bool) -> AgenticError:
    """Return the error of a pull of which some files may be here already, and others are not."""
    told = "An earlier pull is to be finished first" if is_begun else "The pull has begun"
    return refusal(
        error.code,
        f"{told}, and cannot go on: {error.detail}",
        hint=f"{error.hint} {_GO_ON}",
        outcome="unknown",
        **error.context.model_dump(exclude_none=True),
    )
