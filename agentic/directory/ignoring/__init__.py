"""What of a directory belongs to it: ignore files, and what git says."""
