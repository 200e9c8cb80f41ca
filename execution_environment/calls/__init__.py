"""One request, from its arrival to its answer: tool calls, downloads, uploads."""
