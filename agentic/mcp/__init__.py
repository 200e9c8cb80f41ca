"""MCP over standard input and output: what comes there is answered by the orchestrator's door for MCP."""
