"""Removes files of the audit trail that are older than anybody wants; the ledger keeps their heads."""

from collections.abc import Callable
from pathlib import Path

from common.logs import get_logger
from execution_environment.audit.chain import chains_in, last_head
from execution_environment.ledger.chains import Chains

log = get_logger(__name__)


def remove_old(
    directory: Path, chains: Chains, before: float, is_ended: Callable[[str], bool]
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


def _remove(files: list[Path], chains: Chains, before: float) -> None:
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
