"""Tools for agents: which they are, how models see them, and what becomes of a call."""

import json

import pytest
from agents.sandbox import Manifest
from agents.sandbox.capabilities import Filesystem, Shell
from agents.tool_context import ToolContext

from agentic.harnesses.openai_agents import WorkspaceTools, default_capabilities
from common.errors import error
from common.tools import FOR_PROGRAMS, TOUCHES, ToolSpec

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", TOUCHES: "path"},
        "content": {"type": "string"},
        "hash": {"type": "boolean", FOR_PROGRAMS: True},
        "edits": {"items": [{"properties": {"sha": {FOR_PROGRAMS: True}, "old": {}}}]},
    },
    "required": ["path"],
}


def _spec(name, effect):
    return ToolSpec(
        name=name,
        description=f"What {name} does.",
        effect=effect,
        arguments_schema=SCHEMA,
        output_schema={},
    )


TOOLS = {
    tool.name: tool
    for tool in (_spec("look", "read"), _spec("put", "write"), _spec("find", "read"))
}


@pytest.fixture
async def bind(open_session):
    """Bind a capability to a started session that answers so."""

    async def make(capability, *answers):
        session, orchestrator = await open_session(*answers)
        session.tools = TOOLS
        capability.bind(session)
        return capability, orchestrator

    return make


async def _call(tool, arguments):
    context = ToolContext(context=None, tool_name=tool.name, tool_call_id="1", tool_arguments="")
    return await tool.on_invoke_tool(context, arguments)


async def test_tools_that_only_read_are_given_unless_others_are_named(bind):
    """Changes are the SDK's own patches; a model without these is given what its program names."""
    capability, _ = await bind(WorkspaceTools())
    assert [tool.name for tool in capability.tools()] == ["look", "find"]
    capability, _ = await bind(WorkspaceTools(names=["put"]))
    assert [tool.name for tool in capability.tools()] == ["put"]


async def test_unknown_tool_is_an_error(bind):
    """Before a model misses it."""
    capability, _ = await bind(WorkspaceTools(names=["look", "fly"]))
    with pytest.raises(ValueError, match="no tool fly"):
        capability.tools()


def test_tools_need_a_session():
    """They are the service's, which is not known before."""
    with pytest.raises(ValueError, match="not bound"):
        WorkspaceTools().tools()


async def test_model_is_shown_what_it_can_fill(bind):
    """What only programs know, or only rules are read from, is not shown at any depth."""
    capability, _ = await bind(WorkspaceTools())
    tool = capability.tools()[0]
    assert tool.description == "What look does."
    assert tool.params_json_schema == {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "content": {"type": "string"},
            "edits": {"items": [{"properties": {"old": {}}}]},
        },
        "required": ["path"],
    }


async def test_call_is_made_and_its_output_is_json(bind):
    """Models read JSON, and letters as they are."""
    capability, orchestrator = await bind(WorkspaceTools(), {"content": "é"})
    output = await _call(capability.tools()[0], '{"path": "a", "content": "/b"}')
    assert (output, json.loads(output)) == ('{"content": "é"}', {"content": "é"})
    assert orchestrator.calls == [("look", {"path": "a", "content": "/b"})]


@pytest.mark.parametrize(("given", "taken"), [("/workspace/d/a", "d/a"), ("/workspace", ".")])
async def test_absolute_paths_of_the_workspace_are_taken(bind, given, taken):
    """The SDK tells models where the workspace is."""
    capability, orchestrator = await bind(WorkspaceTools())
    await _call(capability.tools()[0], json.dumps({"path": given}))
    assert orchestrator.calls == [("look", {"path": taken})]


async def test_path_outside_is_told_to_the_model(bind):
    """With where the workspace is, and nothing sent."""
    capability, orchestrator = await bind(WorkspaceTools())
    output = await _call(capability.tools()[0], '{"path": "/etc/passwd"}')
    assert "path_not_allowed" in output
    assert "'/workspace'" in output
    assert orchestrator.requests == []


@pytest.mark.parametrize("arguments", ["[1]", "{", '"a"'])
async def test_arguments_that_are_no_object_are_told_to_the_model(bind, arguments):
    """A run does not end for a slip of the pen."""
    capability, orchestrator = await bind(WorkspaceTools())
    assert "no JSON object" in await _call(capability.tools()[0], arguments)
    assert orchestrator.requests == []


async def test_refusal_is_told_to_the_model(bind):
    """With the service's words, which say what to do."""
    capability, _ = await bind(WorkspaceTools(), error("denied_by_rule", "a rule says no"))
    output = await _call(capability.tools()[0], '{"path": "a"}')
    assert "denied_by_rule" in output
    assert "a rule says no" in output


async def test_instructions_say_that_there_is_no_shell(bind):
    """The SDK's own speak of a terminal."""
    capability, _ = await bind(WorkspaceTools())
    told = await capability.instructions(Manifest())
    assert "no shell" in told
    assert "`look`, `find`" in told


def test_defaults_have_no_shell():
    """A model is not offered what it cannot have."""
    kinds = [type(one) for one in default_capabilities()]
    assert WorkspaceTools in kinds
    assert Filesystem in kinds
    assert Shell not in kinds
