"""One call's view of its workspace: what it reads, and the change that it stages."""
