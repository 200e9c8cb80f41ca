"""What agents of the SDK are given instead of a shell: the execution environment's own tools."""

import json
from collections.abc import Sequence
from typing import Any, Literal

from agents import FunctionTool, Tool
from agents.sandbox import Capability, Manifest
from agents.sandbox.capabilities import Compaction, Filesystem
from agents.tool_context import ToolContext
from pydantic import TypeAdapter, ValidationError

from agentic.harnesses.faults import told
from agentic.harnesses.openai_agents.session import AgenticSandboxSession, inner_of
from agentic.harnesses.paths import Root
from common.errors import AgenticError
from common.tools import FOR_PROGRAMS, SHALLOW, TOUCHES, JsonSchema, ToolSpec

_ARGUMENTS: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
_UNSEEN = (TOUCHES, SHALLOW)
_INSTRUCTIONS = """\
There is no shell, and nothing can be executed: files are all there is. Look at them with {tools}; \
their paths are relative to the workspace, wherever you work, and `.` is the workspace itself. A call \
may be refused by a rule or by a person: do not try the same again."""


def default_capabilities() -> list[Capability]:
    """Return what works in this sandbox of the SDK's defaults, with tools in the place of the shell."""
    return [WorkspaceTools(), Filesystem(), Compaction()]


class WorkspaceTools(Capability):
    """Tools of the execution environment, under their own names; without `names` those that only read.

    Changes are the `apply_patch` of the SDK's Filesystem, which models without custom tools do not
    have: such are given `names=("read_file", "write_file", "edit_file", …)`.
    """

    type: Literal["agentic_tools"] = "agentic_tools"
    names: Sequence[str] | None = None

    def tools(self) -> list[Tool]:
        """Return the tools, once the session is started; raise ValueError for a name of none."""
        session = self._session()
        return [_function(session, session.tools[name]) for name in self._chosen(session)]

    async def instructions(self, manifest: Manifest) -> str:
        """Say that there is no shell."""
        _ = manifest
        chosen = self._chosen(self._session())
        return _INSTRUCTIONS.format(tools=", ".join(f"`{name}`" for name in chosen))

    def _session(self) -> AgenticSandboxSession:
        if self.session is None:
            raise ValueError("WorkspaceTools is not bound to a session")
        return inner_of(self.session)

    def _chosen(self, session: AgenticSandboxSession) -> list[str]:
        if self.names is None:
            return [tool.name for tool in session.tools.values() if tool.effect == "read"]
        unknown = [name for name in self.names if name not in session.tools]
        if unknown:
            raise ValueError(f"There is no tool {', '.join(unknown)}")
        return list(self.names)


def _function(session: AgenticSandboxSession, tool: ToolSpec) -> Tool:
    async def invoke(_context: ToolContext[Any], text: str) -> str:
        try:
            arguments = _ARGUMENTS.validate_json(text or "{}")
            taken = _relative(arguments, tool.arguments_schema, session.root)
            return json.dumps(await session.calls.make(tool.name, **taken), ensure_ascii=False)
        except ValidationError:
            return "The arguments are no JSON object"
        except AgenticError as error:
            return told(error)

    return FunctionTool(
        name=tool.name,
        description=tool.description,
        params_json_schema=_shown(tool.arguments_schema),
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )


def _relative(arguments: dict[str, Any], schema: JsonSchema, root: Root) -> dict[str, Any]:
    """Return arguments whose paths are as tools take them: the SDK tells models absolute ones."""
    named = schema.get("properties", {})
    return {
        name: (
            root.relative(value)
            if TOUCHES in named.get(name, ()) and isinstance(value, str) and value.startswith("/")
            else value
        )
        for name, value in arguments.items()
    }


def _shown(schema: Any) -> Any:
    """Return a schema without what only programs can fill, and what only rules are read from."""
    if isinstance(schema, list):
        return [_shown(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _shown(value)
        for name, value in schema.items()
        if name not in _UNSEEN and not (isinstance(value, dict) and value.get(FOR_PROGRAMS))
    }
