"""A file backend of Deep Agents: the files of a session, without a shell."""
