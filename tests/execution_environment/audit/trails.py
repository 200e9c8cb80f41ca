"""Audit trails to be read, attacked and verified."""

from execution_environment.audit import verifier
from execution_environment.audit.writer import AuditWriter
from execution_environment.ledger.chains import read_chains
from execution_environment.ledger.ledger import Ledger
from tests.execution_environment.conftest import tool_call

SESSION, RUN = "ses_" + "1" * 32, "run_" + "2" * 32


def facts(**changed):
    """Return what the executor would put on record."""
    context = tool_call("read_file", path="x").context.model_dump(mode="json")
    return {"id": "a", "outcome": "executed", "context": {**context, **changed}}


def write_trail(state):
    """Write a trail of two processes, whose heads the ledger has; the first one's is rotated."""
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
