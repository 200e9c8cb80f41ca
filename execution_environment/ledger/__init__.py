"""The ledger: which calls have happened, kept in SQLite for all processes of a data directory."""
