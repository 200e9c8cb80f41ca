"""A client's call of a tool, from its arrival to its answer."""
