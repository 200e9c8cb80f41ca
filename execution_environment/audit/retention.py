"""Removes files of the audit trail that are older than anybody wants; the ledger keeps their heads."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from common.logs import get_logger
from execution_environment.audit.chain import Head, chains_in, last_head

log = get_logger(__name__)


class ChainNotes(Protocol):
    """What the ledger knows of the chains, and is told of them."""

    def needed(self) -> set[str]:
        """Return the chains that may hold the entry of a change that is still open."""

    def note_removed(self, last: Head) -> None:
        """Remember that a chain's lines up to this one are going to be removed as too old."""


def remove_old(
    directory: Path, chains: ChainNotes, before: float, is_ended: Callable[[str], bool]
) -> None:
    """Remove each chain's files that were last written to before a moment (seconds since 1970).

    Never the file that a live process writes to, nor one where the record of a change that was cut
    short is still to be looked for. `is_ended` tells of a process whether it is no more.
    """
    needed = chains.needed()
    for chain, files in chains_in(directory):
        if chain not in needed:
            closed = files if is_ended(chain.rpartition("-")[2]) else files[:-1]
            _remove(closed, chains, before)


def _remove(files: list[Path], chains: ChainNotes, before: float) -> None:
    for path in files:
        try:
            if path.stat().st_mtime >= before:
                return
            last = last_head(path)
        except FileNotFoundError:  # another process was quicker
            continue
        except ValueError as damage:  # evidence: the proof names the line
            log.warning("a damaged file of the audit trail is kept", error=str(damage))
            return
        if last is not None:
            chains.note_removed(last)
        path.unlink(missing_ok=True)
        log.info("audit file removed", file=path.name, seq=last.seq if last else 0)
