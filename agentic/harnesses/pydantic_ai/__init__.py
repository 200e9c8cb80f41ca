"""A workspace of Pydantic AI's agents: the files of a session, without a shell."""

from agentic.harnesses.extras import require

require("pydantic_ai.workspaces", "pydantic-ai")

from agentic.harnesses.pydantic_ai.backend import PROVIDER, AgenticWorkspaceBackend  # noqa: E402

__all__ = ["PROVIDER", "AgenticWorkspaceBackend"]
