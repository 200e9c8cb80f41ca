"""Plans agent steps, keeps sessions and runs, and streams what happens."""
