"""The audit trail's readers: records by what they are about, and those of one call."""

import heapq
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.audit import SETTLE
from execution_environment.audit.chain import chains_in, lines_after, seq_of

MAX_SCANNED = 20_000
"""Lines that one query looks at; its page may then be short, and says where to go on."""

_NAME = re.compile(r"0[0-9a-f]{11}-")


@dataclass(frozen=True)
class Query:
    """What records to find; None is any. Times include `since` and leave `until` out."""

    session_id: str | None = None
    run_id: str | None = None
    user_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def wants(self, record: dict[str, Any]) -> bool:
        """Tell whether a record is among them, but for its time."""
        context = record["context"]
        return all(
            wanted in (None, found)
            for wanted, found in (
                (self.session_id, context.get("session_id")),
                (self.run_id, context.get("run_id")),
                (self.user_id, context.get("user_id")),
                (self.outcome, record["outcome"]),
            )
        )


def find(
    directory: Path, query: Query, limit: int, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return records in order of time, of all processes, and where to go on."""
    found: list[dict[str, Any]] = []
    after = max(cursor or "", _iso(query.since) if query.since else "")
    end = _iso(query.until) if query.until else None
    scanned = 0
    for position, record in _merged(directory, after):
        if end is not None and position >= end:
            break
        if record is not None:
            scanned += 1
            found += [record] if query.wants(record) else []
        if len(found) == limit or scanned == MAX_SCANNED:
            return found, position
    return found, None


def _iso(moment: datetime) -> str:
    """Return a time as records have it: positions begin with theirs, and sort by it."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


Found = tuple[str, dict[str, Any] | None]
"""A position, and the record there; None where a chain begins."""


def _merged(directory: Path, after: str) -> Iterator[Found]:
    chains = [_records(chain, files, after) for chain, files in chains_in(directory)]
    return heapq.merge(*chains, key=lambda item: item[0])


def _records(chain: str, files: list[Path], after: str) -> Iterator[Found]:
    """Yield a chain's records with their positions, which sort by time.

    The chain's beginning comes first, so that its files are opened only once that is reached.
    """
    yield _begin_of(chain), None

    def place(record: dict[str, Any]) -> str:
        return f"{record['time']}~{chain}~{record['seq']:012d}"

    for line in lines_after(files, lambda line: place(json.loads(line)), after):
        record = json.loads(line)
        yield place(record), record


def _begin_of(chain: str) -> str:
    """Return when a chain began, by its name; what has another name is looked into first."""
    if not _NAME.match(chain):
        return ""
    return _iso(datetime.fromtimestamp(int(chain[:12], 16) / 1000, UTC))


def holds(directory: Path, position: str, call_id: str) -> bool:
    """Tell whether a call that has taken effect is on record, after a position (`chain:n`)."""
    chain, _, seq = position.rpartition(":")
    files = sorted(directory.glob(f"{chain}.*.jsonl"))
    wanted = f'"id":{json.dumps(call_id)}'.encode()
    return any(
        wanted in line and _is_of_the_change(json.loads(line), call_id)
        for line in lines_after(files, seq_of, int(seq))
    )


def _is_of_the_change(record: dict[str, Any], call_id: str) -> bool:
    """Tell a change's own record from those of its dry runs, refusals, repetitions and settlement."""
    return (
        record["id"] == call_id
        and record["outcome"] == "executed"
        and not record.get("replayed")
        and not record.get("dry_run")
        and record.get("tool") != SETTLE
    )
