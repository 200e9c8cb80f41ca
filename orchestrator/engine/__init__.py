"""Executes runs: leases kept by a worker, decisions stored as turns and carried out step by step."""
