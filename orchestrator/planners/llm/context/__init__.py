"""What a model is told of a run, and how that is kept within what it can read."""
