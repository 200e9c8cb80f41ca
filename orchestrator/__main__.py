"""`python -m orchestrator` starts the service."""

from common.processes.loading import loading

with loading():
    from orchestrator.app import main

main()
