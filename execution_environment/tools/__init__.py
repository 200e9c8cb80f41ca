"""The file tools: one file each, found by the registry."""
