"""What the client remembers of a directory: its workspace, what both had when they last met, hashes.

It lies in the user's own state directory, one place for each server, user and directory, and never
in the directory itself. What is damaged there is passed over with a note: then nothing is known,
and what differs is a conflict.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from platformdirs import user_state_path
from pydantic import TypeAdapter, ValidationError

from agentic.directory.faults import told_of
from agentic.directory.kept.blobs import Blobs
from agentic.directory.kept.locking import held
from agentic.directory.kept.naming import as_text, name_of, normal_url
from agentic.directory.kept.sealed import read_sealed, write_sealed
from agentic.directory.root import Root
from common.files.archives import Sha256
from common.models import Lenient

VARIABLE = "AGENTIC_STATE_DIR"
PATIENCE = 30.0
"""Seconds to wait for another command in the same directory."""
FORMAT: Literal[1] = 1
"""Of what is remembered: a later version that writes it in another form says so."""


class LocalFile(NamedTuple):
    """A file's content and its right to be executed: what is compared. `size` in bytes."""

    sha256: Sha256
    size: int
    is_executable: bool


class Stamp(NamedTuple):
    """What a file's status was when it was hashed, and the hash."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: Sha256


class _Written(Lenient):
    """What is told of its form by every version of what is remembered."""

    format: int


class Known(Lenient):
    """What is remembered; `base` by path, as it was when both sides last had the same.

    `pending`: what a push was about to make of these paths (null: nothing) when it was last heard
    of, and `pending_call` is the id of its result, if it has one.
    """

    format: Literal[1] = FORMAT
    server: str
    directory: str
    workspace: str | None = None
    session_id: str | None = None
    generation: str | None = None
    base: dict[str, LocalFile] = {}
    pending: dict[str, LocalFile | None] = {}
    pending_call: str | None = None


_STAMPS: TypeAdapter[dict[str, Stamp]] = TypeAdapter(dict[str, Stamp])


class State:
    """The memory of one directory, held by this command alone.

    `stamps`: hashes by path for files whose status is as it was. `notes`: what a person should
    know, such as that nothing could be remembered.
    """

    def __init__(self, place: Path, fresh: Known) -> None:
        self.place = place
        for unfinished in place.glob("*.tmp"):  # of a command that was killed
            with told_of(str(unfinished)):
                unfinished.unlink()
        self.notes: list[str] = []
        self.blobs = Blobs(place / "blobs")
        self.known: Known = self._read("known.json", fresh, Known.model_validate_json)
        if (self.known.server, self.known.directory) != (fresh.server, fresh.directory):
            self._forget("known.json")
            self.known = fresh
        self.stamps: dict[str, Stamp] = self._read("stamps.json", {}, _STAMPS.validate_json)

    def confirm_pending(self) -> None:
        """Remember that the last push has taken effect, as its answer would have said."""
        gone = [path for path, file in self.known.pending.items() if file is None]
        made = {path: file for path, file in self.known.pending.items() if file is not None}
        base = {path: file for path, file in self.known.base.items() if path not in gone}
        self.update(base={**base, **made})

    def update(self, **changes: Any) -> None:
        """Remember some facts of `Known` from now on, durably. Raises `no_space` and the like.

        A new base has in it what became of what was pending.
        """
        if "base" in changes:
            changes = {"pending": {}, "pending_call": None, **changes}
        changed = self.known.model_copy(update=changes)
        if changed == self.known:
            return
        self.known = changed
        write_sealed(self.place / "known.json", self.known.model_dump_json().encode())

    def save_stamps(self, stamps: dict[str, Stamp]) -> None:
        """Remember these hashes and no others; after a crash they may be lost."""
        if stamps != self.stamps:
            self.stamps = stamps
            write_sealed(self.place / "stamps.json", _STAMPS.dump_json(stamps), is_durable=False)

    def _read(self, name: str, missing: Any, parse: Callable[[bytes], Any]) -> Any:
        content = None
        try:
            content = read_sealed(self.place / name)
            return missing if content is None else parse(content)
        except ValueError:
            self._forget(name, content)
            return missing

    def _forget(self, name: str, content: bytes | None = None) -> None:
        what = "was written by a newer agentic" if _is_newer(content) else "is damaged"
        note = (
            f"What was remembered of this directory in {self.place / name} {what}:"
            " it is passed over."
        )
        if name == "known.json":
            note += (
                " Its workspace is not known any more: --workspace NAME takes the one there was,"
                " without it a push makes another."
            )
        self.notes.append(note)


def _is_newer(content: bytes | None) -> bool:
    try:
        return content is not None and _Written.model_validate_json(content).format > FORMAT
    except ValidationError:
        return False


@asynccontextmanager
async def opened_state(
    root: Root, server: str, api_key: str | None, *, patience: float = PATIENCE
) -> AsyncIterator[State]:
    """Hold what is remembered of a directory for one server and user, and the directory, alone.

    Raises `invalid_state` where another command holds it for longer than `patience` seconds, and
    errors that name the path where the state directory cannot be used.
    """
    fresh = Known(server=normal_url(server), directory=as_text(root.identity.path))
    place = state_directory() / name_of(fresh.server, api_key, root.identity)
    with told_of(str(place)):
        place.mkdir(mode=0o700, exist_ok=True)
        (place / "blobs").mkdir(exist_ok=True)
    with root.directory(()) if root.by_descriptor else nullcontext() as itself:
        async with held(place / "lock", itself, patience):
            state = await asyncio.to_thread(State, place, fresh)
            yield state
            await asyncio.to_thread(state.blobs.prune)


def state_directory() -> Path:
    """Return where the client keeps its state: AGENTIC_STATE_DIR, or the system's own place."""
    given = os.environ.get(VARIABLE)
    path = Path(given) if given else user_state_path("agentic", appauthor=False)
    with told_of(str(path)):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
