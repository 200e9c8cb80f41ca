"""The `plan` planner: the steps that a client has written."""
