"""What a process remembers of the intents that it has carried out."""

import sqlite3
from contextlib import closing

import pytest

from common.tools import ToolResult
from execution_environment.audit.chain import Head
from execution_environment.ledger import idempotency
from execution_environment.ledger.ledger import Ledger
from execution_environment.ledger.records import CallKey, Intent
from execution_environment.sandbox.limits import Usage

PLACE = "local/demo"


@pytest.fixture
def ledger(tmp_path):
    """A ledger, closed at the end."""
    (tmp_path / "state").mkdir()
    with closing(Ledger(tmp_path / "state" / "ledger.sqlite")) as ledger:
        yield ledger


def write(ledger, call_id):
    """Write an intent down."""
    result = ToolResult(id=call_id, tool="t", output={}, receipts=[], duration_ms=0)
    key, head = CallKey(call_id, "f", PLACE, None, 1), Head("chain")
    entry = {"outcome": "executed"}
    intent = Intent(key, "p", result, "[]", None, entry, Usage(0, 0), head)
    assert ledger.write_intent(intent, Usage(100, 100)) is None


def open_in(ledger):
    """Return the ids of the intents that somebody has to look for."""
    return [intent.id for intent in ledger.intents.open(PLACE)]


def test_an_intent_is_remembered_as_applied_until_the_next_one_is_written(ledger, monkeypatch):
    """With a transaction that comes to nothing it stays on the disk: it would be applied again."""

    def fail(connection, call_id):
        failure = sqlite3.OperationalError("disk I/O error")
        failure.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise failure

    write(ledger, "a")
    ledger.intents.note_applied(PLACE, "a")
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "note_progress", fail)
        with pytest.raises(sqlite3.OperationalError):
            write(ledger, "b")
    assert open_in(ledger) == []
    write(ledger, "b")
    assert open_in(ledger) == ["b"]


def test_an_id_that_comes_again_is_not_applied_because_it_was_once(ledger):
    """Its first call has been forgotten, and somebody else's change has come in between."""
    write(ledger, "a")
    ledger.intents.note_applied(PLACE, "a")
    write(ledger, "b")
    with ledger._database.writing() as connection:
        connection.execute("DELETE FROM calls WHERE id = 'a'")
    write(ledger, "a")
    assert open_in(ledger) == ["a"]
