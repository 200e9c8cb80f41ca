"""The whole backend on one machine: its processes, who owns them, a demonstration."""
