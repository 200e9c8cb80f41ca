"""What a workspace changed, brought into a person's directory: checked, planned, fetched, placed."""
