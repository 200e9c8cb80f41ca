"""Each effect once: staged, written down, renamed into place, recovered after a crash."""
