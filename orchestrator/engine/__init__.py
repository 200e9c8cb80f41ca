"""Executes runs: leases kept by a worker, decisions taken step by step."""
