"""The proof that the audit trail is what was written, and that nothing of it is missing."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from execution_environment.audit.chain import SEAL, Chain, Head, chains_in, seal


class Tampered(Exception):  # reads as the state it is
    """The trail is not what was written; the message names the file and line, or the chain."""


def verify(directory: Path, noted: Iterable[Chain] | None = None) -> list[Head]:
    """Return the head of each chain; raise Tampered at the first that does not fit.

    `noted` is what the ledger says of the chains. Without it, a cut tail cannot be told.
    """
    found = dict(chains_in(directory))
    chains = {chain.head.chain: chain for chain in noted or ()}
    if strangers := found.keys() - chains.keys() if noted is not None else ():
        raise Tampered(f"{min(strangers)}: the ledger knows no such chain")
    return [
        _verified(found.get(name, []), chains.get(name, Chain(Head(name), Head(name))))
        for name in sorted({*found, *chains})
    ]


def _verified(files: list[Path], chain: Chain) -> Head:
    head = chain.removed
    fixed = {line.seq: line.hash for line in (chain.head, chain.removed)}
    for number, (where, line) in enumerate(_lines(files)):
        record = _unsealed(line, where)
        if number == 0 and record["seq"] <= chain.removed.seq:  # noted as removed, and not yet gone
            head = Head(head.chain, record["seq"] - 1, record["previous"])
        if (record["seq"], record["previous"]) != (head.seq + 1, head.hash):
            raise Tampered(f"{where}: number {head.seq + 1} of the chain is missing before it")
        head = Head(head.chain, record["seq"], record["hash"])
        if fixed.get(head.seq, head.hash) != head.hash:
            raise Tampered(f"{where}: the ledger has another hash for number {head.seq}")
    if head.seq < chain.head.seq:
        what = f"ends with number {head.seq}" if files else "is missing"
        raise Tampered(f"{head.chain}: the chain {what}, and had come to number {chain.head.seq}")
    return head


def _lines(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield lines, which end with LF and nothing else, with where they are."""
    for path in files:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield f"{path.name}, line {number}", line


def _unsealed(line: bytes, where: str) -> dict[str, Any]:
    text = line.decode(errors="replace")
    if not text.endswith("\n"):
        raise Tampered(f"{where}: the line was cut short")
    body, _, ending = text.rpartition(SEAL)
    if ending != f'{seal(body)}"}}\n':
        raise Tampered(f"{where}: the line is not as it was written")
    record: dict[str, Any] = json.loads(text)
    return record
