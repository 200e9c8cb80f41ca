"""Audit records are found by what they are about, page by page."""

from pathlib import Path

import pytest

from common.audit import AuditRecord
from execution_environment.audit import reader
from execution_environment.audit.writer import AuditWriter
from tests.execution_environment.audit.trails import RUN, SESSION, facts


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 16), ({"session_id": SESSION}, 12), ({"run_id": RUN}, 4), ({"user_id": "local"}, 16),
        ({"user_id": "ann"}, 0), ({"outcome": "not_executed"}, 4),
    ],
)  # fmt: skip
def test_audit_records_are_found_by_what_they_are_about(trail_dir, query, count):
    """In order of time over all processes, page by page."""
    found, cursor = [], None
    while True:
        page, cursor = reader.find(trail_dir, reader.Query(**query), 5, cursor)
        found += page
        if cursor is None:
            break
    assert len(found) == count
    assert [record["time"] for record in found] == sorted(record["time"] for record in found)


def test_audit_records_are_found_by_time(trail_dir):
    """`since` is included, `until` is not."""
    times = [record["time"] for record in reader.find(trail_dir, reader.Query(), 100, None)[0]]
    moments = [AuditRecord.model_fields["time"].annotation.fromisoformat(time) for time in times]
    query = reader.Query(since=moments[4], until=moments[9])
    assert [record["time"] for record in reader.find(trail_dir, query, 100, None)[0]] == times[4:9]


def bytes_read():
    """Return how many bytes this thread has read so far."""
    return int(Path("/proc/thread-self/io").read_text().split()[1])


@pytest.mark.parametrize("last", [1234, 3990])
def test_a_page_of_audit_records_reads_nothing_of_what_lies_before_it(tmp_path, last):
    """A trail grows for months: 13 s for a page at the end of 1 GB, and of each page after it."""
    audit = AuditWriter(tmp_path, "p1", max_file=1_000_000)
    for number in range(4000):
        audit.append({**facts(), "n": number})
    audit.close()
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    _, cursor = reader.find(tmp_path, reader.Query(), last + 1, None)
    before = bytes_read()
    found, following = reader.find(tmp_path, reader.Query(), 5, cursor)
    assert bytes_read() - before < size / 3
    assert [record["n"] for record in found] == list(range(last + 1, last + 6))
    assert reader.find(tmp_path, reader.Query(), 1, following)[0][0]["n"] == last + 6
    since = AuditRecord.model_fields["time"].annotation.fromisoformat(found[0]["time"])
    before = bytes_read()
    assert reader.find(tmp_path, reader.Query(since=since), 5, None) == (found, following)
    assert bytes_read() - before < size / 3
