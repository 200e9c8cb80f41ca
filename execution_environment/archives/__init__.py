"""Many files at once: what an archive asks for, what it brings, what is there and what is sent."""
