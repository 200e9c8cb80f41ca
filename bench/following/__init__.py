"""Measures what followers of sessions cost."""
