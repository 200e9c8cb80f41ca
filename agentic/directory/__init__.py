"""A person's directory, in and out of a workspace: what is sent, what comes back, what is refused."""
