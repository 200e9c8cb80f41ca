"""The service's command line: serve, or verify the audit trail offline."""

import argparse
import sys
from pathlib import Path

from execution_environment import app
from execution_environment.audit import verifier
from execution_environment.ledger.chains import read_chains
from execution_environment.ledger.schema import UnknownFormat

USAGE = 2


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m execution_environment",
        description="Serve as the EXEC_ENV_ variables say, or verify the audit trail.",
    )
    commands = parser.add_subparsers(dest="command")
    verify = commands.add_parser("verify-audit", help="name the first line that was tampered with")
    verify.add_argument("data_dir", type=Path, help="what EXEC_ENV_DATA_DIR names")
    arguments = parser.parse_args()
    if arguments.command is None:
        app.main()
    else:
        sys.exit(_verify(arguments.data_dir / "state"))


def _verify(state: Path) -> int:
    """Print the head of each chain, having compared it with the ledger's; return the exit code."""
    audit_dir, ledger = state / "audit", state / "ledger.sqlite"
    if not audit_dir.is_dir():
        print(f"{audit_dir} is not a directory", file=sys.stderr)
        return USAGE
    try:
        heads = verifier.verify(audit_dir, read_chains(ledger))
    except (verifier.Tampered, UnknownFormat) as error:
        print(error, file=sys.stderr)
        return 1
    for head in heads:
        print(f"{head.chain} seq={head.seq} head={head.hash}")
    print(f"{len(heads)} chains, {sum(head.seq for head in heads)} records: nothing is missing")
    return 0
