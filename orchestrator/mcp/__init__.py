"""The door for MCP clients: a workspace's tools, its files, and the runs of its user."""
