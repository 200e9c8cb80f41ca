"""A file backend of Deep Agents: the files of a session, without a shell."""

from agentic.harnesses.extras import require

require("deepagents.backends.protocol", "deepagents")

from agentic.harnesses.deepagents.backend import AgenticBackend  # noqa: E402

__all__ = ["AgenticBackend"]
