"""`python -m execution_environment` starts the service."""

from execution_environment.app import main

main()
