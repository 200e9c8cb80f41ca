"""Agents of other frameworks that work on the files of a session, under its rules."""
