"""`python -m execution_environment` serves; with `verify-audit` it proves the audit trail."""

from common.processes.loading import loading

with loading():
    from execution_environment.cli import main

main()
