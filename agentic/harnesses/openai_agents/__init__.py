"""A sandbox of the OpenAI Agents SDK: the files of a session, without a shell."""

from agentic.harnesses.extras import require

require("agents.sandbox", "openai-agents")

from agentic.harnesses.openai_agents.capability import (  # noqa: E402
    WorkspaceTools,
    default_capabilities,
)
from agentic.harnesses.openai_agents.client import AgenticSandboxClient  # noqa: E402
from agentic.harnesses.openai_agents.session import AgenticSandboxSession  # noqa: E402
from agentic.harnesses.openai_agents.state import (  # noqa: E402
    BACKEND,
    AgenticSandboxClientOptions,
    AgenticSandboxSessionState,
)

__all__ = [
    "BACKEND",
    "AgenticSandboxClient",
    "AgenticSandboxClientOptions",
    "AgenticSandboxSession",
    "AgenticSandboxSessionState",
    "WorkspaceTools",
    "default_capabilities",
]
