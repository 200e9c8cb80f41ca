"""A session of a sandbox whose calls are answered by the test."""

import agents
import pytest
from agents.sandbox import Manifest
from agents.sandbox.snapshot import NoopSnapshot

from agentic.harnesses.openai_agents import AgenticSandboxSession, AgenticSandboxSessionState
from tests.agentic.fakes import SESSION
from tests.agentic.harnesses.fakes import Orchestrator


@pytest.fixture(autouse=True)
def untraced():
    """Keep the SDK from sending traces to its makers."""
    agents.set_tracing_disabled(True)


@pytest.fixture
async def open_session(connect):
    """Make sessions on orchestrators that answer so; with the orchestrator."""

    async def make(*answers, access="read_write", **terms):
        orchestrator = Orchestrator(*answers, **terms)
        session = AgenticSandboxSession(
            a_state(),
            await connect(orchestrator),
            access=access,
            approval=None,
            approval_seconds=1.0,
            is_there=False,
        )
        return session, orchestrator

    return make


def a_state(**more):
    """Return the state of a sandbox on the session of the fakes."""
    facts = {"snapshot": NoopSnapshot(id="none"), "manifest": Manifest()}
    facts |= {"agentic_session": SESSION.id, "workspace": SESSION.workspace}
    return AgenticSandboxSessionState(**{**facts, **more})
