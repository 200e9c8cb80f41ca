"""The audit trail: every call is on it, in full, and no line can be changed unnoticed."""

import json
import subprocess
import sys

import pytest

from common.audit import AuditRecord
from common.errors import AgenticError
from execution_environment.state import trail
from execution_environment.state.audit import Audit
from tests.execution_environment.conftest import tool_call

SESSION, RUN = "ses_" + "1" * 32, "run_" + "2" * 32


def facts(**changed):
    """Return what the executor would put on record."""
    context = tool_call("read_file", path="x").context.model_dump(mode="json")
    return {"id": "a", "outcome": "executed", "context": {**context, **changed}}


@pytest.fixture
def trail_dir(tmp_path):
    """A trail of two processes; the first one's has been rotated."""
    directory = tmp_path / "audit"
    first, second = Audit(directory, "p1", max_file=2000), Audit(directory, "p2")
    for number in range(12):
        first.append({**facts(session_id=SESSION), "n": number})
        if number % 3 == 0:
            second.append({**facts(run_id=RUN), "outcome": "not_executed", "n": number})
    first.close()
    second.close()
    return directory


def files_of(directory):
    """Return the rotated chain's files in order."""
    files = sorted(directory.glob("*-p1.*.jsonl"))
    assert len(files) > 2
    return files


async def test_every_call_is_on_record_allowed_or_denied(parts, call, demo):
    """With the whole context, hashes before and after, and what came of it."""
    (demo / "x").write_text("1")
    await call("read_file", {"session_id": SESSION, "run_id": RUN}, path="x")
    await call("append_file", _id="b", path="x", content="2")
    await call("append_file", _id="b", path="x", content="2")
    for tool, arguments in (("read_file", {"path": "../x"}), ("nope", {}), ("read_file", {})):
        with pytest.raises(AgenticError):
            await call(tool, **arguments)
    found, following = trail.find(parts.audit_dir, trail.Query(), 100, None)
    records = [AuditRecord.model_validate(record) for record in found]
    assert following is None
    assert [(record.tool, record.outcome, record.code) for record in records] == [
        ("read_file", "executed", None),
        ("append_file", "executed", None),
        ("append_file", "executed", None),
        ("read_file", "not_executed", "path_not_allowed"),
        ("nope", "not_executed", "tool_not_found"),
        ("read_file", "not_executed", "invalid_arguments"),
    ]
    assert [record.replayed for record in records] == [False, False, True, False, False, False]
    [receipt] = records[1].receipts
    assert receipt.sha256_before != receipt.sha256_after
    assert (records[0].context.run_id, records[0].context.user_id) == (RUN, "local")
    assert records[1].arguments_sha256 == records[2].arguments_sha256
    assert records[0].arguments_sha256 != records[3].arguments_sha256


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 16), ({"session_id": SESSION}, 12), ({"run_id": RUN}, 4), ({"user_id": "local"}, 16),
        ({"user_id": "ann"}, 0), ({"outcome": "not_executed"}, 4),
    ],
)  # fmt: skip
def test_records_are_found_by_what_they_are_about(trail_dir, query, count):
    """In order of time over all processes, page by page."""
    found, cursor = [], None
    while True:
        page, cursor = trail.find(trail_dir, trail.Query(**query), 5, cursor)
        found += page
        if cursor is None:
            break
    assert len(found) == count
    assert [record["time"] for record in found] == sorted(record["time"] for record in found)


def test_records_are_found_by_time(trail_dir):
    """`since` is included, `until` is not."""
    times = [record["time"] for record in trail.find(trail_dir, trail.Query(), 100, None)[0]]
    moments = [AuditRecord.model_fields["time"].annotation.fromisoformat(time) for time in times]
    query = trail.Query(since=moments[4], until=moments[9])
    assert [record["time"] for record in trail.find(trail_dir, query, 100, None)[0]] == times[4:9]


def test_an_untouched_trail_is_proven(trail_dir):
    """Each chain's head is what the service has logged."""
    heads = trail.verify(trail_dir)
    assert [head.seq for head in heads] == [12, 4]
    last = json.loads(files_of(trail_dir)[-1].read_text().splitlines()[-1])
    assert heads[0].hash == last["hash"]


@pytest.mark.parametrize("attack", ["change", "reseal", "remove", "swap", "insert", "remove file"])
def test_whatever_was_done_to_the_trail_is_named(trail_dir, attack):
    """A changed line, one taken out or put in, one sealed anew, a whole file."""
    path = files_of(trail_dir)[1]
    lines = path.read_text().splitlines(keepends=True)
    changed = lines[1].replace('"outcome":"executed"', '"outcome":"unknown"')
    body = changed.rpartition(',"hash":"')[0]
    resealed = f'{body},"hash":"{trail.seal(body)}"}}\n'
    attacked = {
        "change": [lines[0], changed, *lines[2:]],
        "reseal": [lines[0], resealed, *lines[2:]],
        "remove": [lines[0], *lines[2:]],
        "swap": [lines[1], lines[0], *lines[2:]],
        "insert": [lines[0], lines[0], *lines[1:]],
        "remove file": [],
    }[attack]
    assert attacked != lines
    if attacked:
        path.write_text("".join(attacked))
    else:
        path.unlink()
    with pytest.raises(trail.Tampered, match=r"\.jsonl, line \d+: "):
        trail.verify(trail_dir)


def test_the_command_names_the_line(tmp_path, trail_dir):
    """Offline, with an exit code for scripts."""
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True)
    trail_dir.rename(state / "audit")
    command = [sys.executable, "-m", "execution_environment", "verify-audit", tmp_path / "data"]

    def verify():
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert verify().stdout.endswith("2 chains, 16 records: nothing is missing\n")
    path = files_of(state / "audit")[0]
    path.write_text(path.read_text().replace('"n":1', '"n":7', 1))
    ended = verify()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "line 2: the line is not as it was written" in ended.stderr
    path.parent.rename(tmp_path / "gone")
    assert verify().returncode == 2
