"""What is chosen for a sandbox, and what is kept of one, to find it again."""

from typing import Literal

from agents.sandbox.session import BaseSandboxClientOptions, SandboxSessionState

BACKEND: Literal["agentic"] = "agentic"


class AgenticSandboxClientOptions(BaseSandboxClientOptions):
    """`workspace`: its name; without one the sandbox has a fresh workspace, which goes with it."""

    type: Literal["agentic"] = BACKEND
    workspace: str | None = None


class AgenticSandboxSessionState(SandboxSessionState):
    """No keys, and nothing that gives rights: these are the client's that resumes it."""

    type: Literal["agentic"] = BACKEND
    agentic_session: str
    """The session's id at the orchestrator, which ages; the workspace does not."""
    workspace: str
    is_workspace_owned: bool = False
    """Whether the workspace was made for this sandbox, and is deleted with it."""
