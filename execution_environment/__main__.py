"""`python -m execution_environment` serves; with `verify-audit` it proves the audit trail."""

from execution_environment.cli import main

main()
