"""Many files at once, and what they lie in: the wire that clients and both services share."""
