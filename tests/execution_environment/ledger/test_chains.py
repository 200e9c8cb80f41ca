"""The ledger knows how far each audit chain has come."""

import pytest

from execution_environment.audit import verifier
from execution_environment.ledger.chains import read_chains


async def test_audit_heads_are_in_the_ledger_with_each_change_and_every_minute(
    parts, call, data_dir
):
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
