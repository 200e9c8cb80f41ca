"""The audit trail's readers: records by what they are about, and the proof that none is missing."""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from execution_environment.state.audit import GENESIS, SEAL, seal

MAX_SCANNED = 100_000
"""Lines that one query looks at; its page may then be short, and says where to go on."""


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
        """Tell whether a record is among them."""
        context = record["context"]
        moment = datetime.fromisoformat(record["time"])
        return (
            all(
                wanted in (None, found)
                for wanted, found in (
                    (self.session_id, context["session_id"]),
                    (self.run_id, context["run_id"]),
                    (self.user_id, context["user_id"]),
                    (self.outcome, record["outcome"]),
                )
            )
            and (self.since is None or moment >= self.since)
            and (self.until is None or moment < self.until)
        )


def find(
    directory: Path, query: Query, limit: int, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return records in order of time, of all processes, and where to go on."""
    found: list[dict[str, Any]] = []
    position = ""
    for scanned, (position, record) in enumerate(_merged(directory, cursor or ""), start=1):
        if query.wants(record):
            found.append(record)
        if len(found) == limit or scanned == MAX_SCANNED:
            return found, position
    return found, None


def _merged(directory: Path, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    chains = [_records(files, after) for _, files in _chains(directory)]
    return heapq.merge(*chains, key=lambda item: item[0])


def _records(files: list[Path], after: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a chain's records with their positions, which sort by time."""
    for path in files:
        for line in _lines(path):
            record = json.loads(line)
            position = f"{record['time']}~{path.name.partition('.')[0]}~{record['seq']:012d}"
            if position > after:
                yield position, record


def _chains(directory: Path) -> list[tuple[str, list[Path]]]:
    paths = sorted(directory.glob("*.jsonl"))
    return [
        (chain, list(files))
        for chain, files in groupby(paths, key=lambda path: path.name.partition(".")[0])
    ]


def _lines(path: Path) -> Iterator[str]:
    """Yield whole lines: a live process may be about to finish its last one."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield line


@dataclass(frozen=True)
class Head:
    """The end of a chain, to be compared with what the service logged."""

    chain: str
    seq: int
    hash: str


class Tampered(Exception):  # reads as the state it is
    """The trail is not what was written; the message names file and line."""


def verify(directory: Path) -> list[Head]:
    """Return the head of each chain; raise Tampered at the first line that does not fit."""
    return [_verified(chain, files) for chain, files in _chains(directory)]


def _verified(chain: str, files: list[Path]) -> Head:
    head = Head(chain, 0, GENESIS)
    for path in files:
        for number, line in enumerate(_lines(path), start=1):
            head = _next(head, line, f"{path.name}, line {number}")
    return head


def _next(head: Head, line: str, where: str) -> Head:
    body, _, ending = line.rpartition(SEAL)
    if ending != f'{seal(body)}"}}\n':
        raise Tampered(f"{where}: the line is not as it was written")
    record = json.loads(line)
    if (record["seq"], record["previous"]) != (head.seq + 1, head.hash):
        raise Tampered(f"{where}: number {head.seq + 1} of the chain is missing before it")
    return Head(head.chain, record["seq"], record["hash"])
