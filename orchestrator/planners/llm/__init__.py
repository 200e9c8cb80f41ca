"""The `llm` planner: a model decides what to do next."""
