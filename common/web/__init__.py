"""The FastAPI plumbing that both services share."""
