"""Has a planner decide: what it is told of the run, and what becomes of its word."""
