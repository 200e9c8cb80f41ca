"""The HTTP routes: one sentence each."""
