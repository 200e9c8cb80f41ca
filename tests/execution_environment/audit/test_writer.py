"""The audit trail as it is written: the next file, and what it says of a change."""

import pytest

from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.ledger import Ledger
from tests.execution_environment.audit.trails import facts, verify


def test_a_trail_that_cannot_begin_its_next_file_goes_on_in_this_one(state):
    """It closed the file first: later records went to whatever had its number then, a socket say."""
    directory, ledger = state / "audit", Ledger(state / "ledger.sqlite")
    audit = AuditWriter(directory, "p1", max_file=1, tell=ledger.chains.note)
    [first] = directory.iterdir()
    in_the_way = first.with_name(first.name.replace(".000000.", ".000001."))
    in_the_way.mkdir()
    for _ in range(3):
        audit.append(facts())
    in_the_way.rmdir()
    audit.append(facts())
    audit.close()
    ledger.close()
    counts = [len(path.read_text().splitlines()) for path in sorted(directory.iterdir())]
    assert (counts, [head.seq for head in verify(directory)]) == ([3, 1], [4])


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True), ({"settled": True}, True), ({"outcome": "not_executed"}, False),
        ({"outcome": "unknown"}, False), ({"replayed": True}, False),
        ({"tool": "settle_call"}, False), ({"id": "b"}, False), ({"dry_run": True}, False),
    ],
)  # fmt: skip
def test_only_its_own_record_says_that_a_change_is_on_record(tmp_path, changed, counts):
    """Its dry runs, refusals, repetitions and settlements have its id as well, and so may an earlier life."""
    audit = AuditWriter(tmp_path, "p1", max_file=1000)
    audit.append({**facts(), "tool": "write_file"})
    after = audit.head.position
    for _ in range(5):
        audit.append({**facts(), "id": "other"})
    assert not audit.holds(after, "a")
    audit.append({**facts(), "tool": "write_file", **changed})
    audit.append({**facts(), "id": "other"})
    assert audit.holds(after, "a") is counts
    audit.close()
