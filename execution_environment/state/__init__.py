"""What the service remembers beside the workspaces: locks now."""
