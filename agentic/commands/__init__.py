"""The commands of `agentic`, by what they are about."""
