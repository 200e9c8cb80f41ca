"""The audit trail: every call is on it, in full, and no line can be changed unnoticed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from common.audit import AuditRecord
from common.errors import AgenticError
from execution_environment.audit import reader, verifier
from execution_environment.audit.chain import seal
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.chains import read_chains
from execution_environment.ledger.ledger import Ledger
from tests.execution_environment.conftest import tool_call

SESSION, RUN = "ses_" + "1" * 32, "run_" + "2" * 32


def facts(**changed):
    """Return what the executor would put on record."""
    context = tool_call("read_file", path="x").context.model_dump(mode="json")
    return {"id": "a", "outcome": "executed", "context": {**context, **changed}}


@pytest.fixture
def state(tmp_path):
    """Where the trail lies beside the ledger."""
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True)
    return state


@pytest.fixture
def trail_dir(state):
    """A trail of two processes, whose heads the ledger has; the first one's has been rotated."""
    directory, ledger = state / "audit", Ledger(state / "ledger.sqlite")
    first = AuditWriter(directory, "p1", max_file=1600, tell=ledger.chains.note)
    second = AuditWriter(directory, "p2", tell=ledger.chains.note)
    for number in range(12):
        first.append({**facts(session_id=SESSION), "n": number})
        if number % 3 == 0:
            second.append({**facts(run_id=RUN), "outcome": "not_executed", "n": number})
    first.close()
    second.close()
    ledger.close()
    return directory


def verify(directory):
    """Verify a trail against the ledger beside it."""
    return verifier.verify(directory, read_chains(directory.parent / "ledger.sqlite"))


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
    found, following = reader.find(parts.audit_dir, reader.Query(), 100, None)
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
        page, cursor = reader.find(trail_dir, reader.Query(**query), 5, cursor)
        found += page
        if cursor is None:
            break
    assert len(found) == count
    assert [record["time"] for record in found] == sorted(record["time"] for record in found)


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


def test_records_are_found_by_time(trail_dir):
    """`since` is included, `until` is not."""
    times = [record["time"] for record in reader.find(trail_dir, reader.Query(), 100, None)[0]]
    moments = [AuditRecord.model_fields["time"].annotation.fromisoformat(time) for time in times]
    query = reader.Query(since=moments[4], until=moments[9])
    assert [record["time"] for record in reader.find(trail_dir, query, 100, None)[0]] == times[4:9]


def bytes_read():
    """Return how many bytes this thread has read so far."""
    return int(Path("/proc/thread-self/io").read_text().split()[1])


@pytest.mark.parametrize("last", [1234, 3990])
def test_a_page_reads_nothing_of_what_lies_before_it(tmp_path, last):
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


def test_an_untouched_trail_is_proven(trail_dir):
    """Each chain's head is what the service has logged."""
    heads = verify(trail_dir)
    assert heads == verifier.verify(trail_dir)
    assert [head.seq for head in heads] == [12, 4]
    last = json.loads(files_of(trail_dir)[-1].read_text().splitlines()[-1])
    assert heads[0].hash == last["hash"]


@pytest.mark.parametrize(
    "attack", ["change", "reseal", "remove", "swap", "insert", "remove file", "CR for LF"]
)
def test_whatever_was_done_to_the_trail_is_named(trail_dir, attack):
    """A changed line, one taken out or put in, one sealed anew, its ending, a whole file."""
    path = files_of(trail_dir)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    changed = lines[1].replace(b'"outcome":"executed"', b'"outcome":"unknown"')
    body = changed.rpartition(b',"hash":"')[0]
    resealed = body + f',"hash":"{seal(body.decode())}"}}\n'.encode()
    attacked = {
        "change": [lines[0], changed, *lines[2:]],
        "reseal": [lines[0], resealed, *lines[2:]],
        "remove": [lines[0], *lines[2:]],
        "swap": [lines[1], lines[0], *lines[2:]],
        "insert": [lines[0], lines[0], *lines[1:]],
        "remove file": [],
        "CR for LF": [lines[0][:-1] + b"\r", *lines[1:]],
    }[attack]
    assert attacked != lines
    if attacked:
        path.write_bytes(b"".join(attacked))
    else:
        path.unlink()
    with pytest.raises(verifier.Tampered, match=r"\.jsonl, line \d+: "):
        verifier.verify(trail_dir)


def _reseal(path, old, new):
    """Change a file and seal every line anew, each chained to the one before."""
    lines, previous = [], ""
    for line in path.read_text().splitlines():
        record = json.loads(line.replace(old, new))
        del record["hash"]
        record["previous"] = previous or record["previous"]
        body = json.dumps(record, separators=(",", ":"))[:-1]
        previous = seal(body)
        lines.append(f'{body},"hash":"{previous}"}}\n')
    path.write_text("".join(lines))


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("cut", "ends with number 11, and had come to number 12"),
        ("tear", "the line was cut short"),
        ("reseal all", "the ledger has another hash for number 4"),
        ("remove chain", "-p2: the chain is missing, and had come to number 4"),
        ("remove all", "the chain is missing"),
        ("add chain", "-p3: the ledger knows no such chain"),
        ("remove ledger", "ledger.sqlite: what chains there are cannot be told"),
    ],
)
def test_what_leaves_no_gap_is_named_by_the_ledger(trail_dir, attack, named):
    """A cut or torn tail, a chain that is gone, or written anew, or never was the service's."""
    last, [whole] = files_of(trail_dir)[-1], trail_dir.glob("*-p2.*")
    lines = last.read_bytes().splitlines(keepends=True)
    {
        "cut": lambda: last.write_bytes(b"".join(lines[:-1])),
        "tear": lambda: last.write_bytes(last.read_bytes()[:-1]),
        "reseal all": lambda: _reseal(whole, "not_executed", "executed"),
        "remove chain": whole.unlink,
        "remove all": lambda: [path.unlink() for path in trail_dir.iterdir()],
        "add chain": lambda: AuditWriter(trail_dir, "p3").close(),
        "remove ledger": (trail_dir.parent / "ledger.sqlite").unlink,
    }[attack]()
    if attack not in ("tear", "remove ledger"):
        verifier.verify(trail_dir)  # the control: it cannot be told from the files alone
    with pytest.raises(verifier.Tampered, match=named):
        verify(trail_dir)


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True), ({"settled": True}, True), ({"outcome": "not_executed"}, False),
        ({"outcome": "unknown"}, False), ({"replayed": True}, False),
        ({"tool": "settle_call"}, False), ({"id": "b"}, False),
    ],
)  # fmt: skip
def test_only_its_own_record_says_that_a_change_is_on_record(tmp_path, changed, counts):
    """Its refusals, repetitions and settlements have its id as well, and so may an earlier life."""
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


async def test_heads_are_in_the_ledger_with_each_change_and_every_minute(parts, call, data_dir):
    """What was written before the last one cannot be cut off unnoticed, though the service is killed."""
    ledger = data_dir / "state" / "ledger.sqlite"

    def head():
        [chain] = read_chains(ledger)
        return chain.head.seq

    assert head() == 0
    for _ in range(3):
        await call("list_directory")
    assert head() == 0
    await call("create_directory", path="x")
    assert head() == 3
    parts.maintenance.note()
    assert head() == 4
    [file] = parts.audit_dir.iterdir()
    file.write_bytes(b"")
    with pytest.raises(verifier.Tampered, match="ends with number 0, and had come to number 4"):
        verifier.verify(parts.audit_dir, read_chains(ledger))


def test_the_command_names_the_line(tmp_path, trail_dir):
    """Offline, with an exit code for scripts."""
    command = [sys.executable, "-m", "execution_environment", "verify-audit", tmp_path / "data"]

    def verify():
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert verify().stdout.endswith("2 chains, 16 records: nothing is missing\n")
    path = files_of(trail_dir)[0]
    path.write_text(path.read_text().replace('"n":1', '"n":7', 1))
    ended = verify()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "line 2: the line is not as it was written" in ended.stderr
    path.parent.rename(tmp_path / "gone")
    assert verify().returncode == 2
