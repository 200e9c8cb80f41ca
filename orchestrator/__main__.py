"""`python -m orchestrator` starts the service."""

from orchestrator.app import main

main()
