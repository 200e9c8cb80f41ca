"""No line of the audit trail can be changed, taken out or put in unnoticed."""

import json

import pytest

from execution_environment.audit import verifier
from execution_environment.audit.chain import seal
from execution_environment.audit.writer import AuditWriter
from tests.execution_environment.audit.trails import files_of, verify


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
def test_what_leaves_no_gap_in_the_trail_is_named_by_the_ledger(trail_dir, attack, named):
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
