"""Real tasks for a real model; `make try-model` runs them and says what came of each."""
