"""Measures what is done with many files at once."""
