"""What the client keeps of its own: files that are whole or passed over, under a lock."""
