"""What people say of a turn that waits: their answers, and what they would have in its place."""
