"""What people decide about a run: by rules beforehand, and about each turn that waits for them."""
