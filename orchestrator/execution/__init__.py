"""The execution environment as seen from here: its client, its tools, calls until their outcome."""
