"""Runs file tools inside a sandbox of allowed paths."""
