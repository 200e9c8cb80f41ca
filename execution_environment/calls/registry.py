"""Finds the tools: every module in `tools/` that defines one."""

import importlib
import pkgutil
from collections.abc import Mapping

from common.errors import ToolError
from common.tools import did_you_mean
from execution_environment import tools
from execution_environment.toolkit.tool import Tool


def discover() -> Mapping[str, Tool]:
    """Return all tools by name, in order of their names."""
    modules = [
        importlib.import_module(f"{tools.__name__}.{module.name}")
        for module in pkgutil.iter_modules(tools.__path__)
    ]
    found = [item for module in modules for item in vars(module).values() if isinstance(item, Tool)]
    return {item.name: item for item in sorted(found, key=lambda item: item.name)}


class Registry:
    """The tools that this service offers."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools

    def all(self) -> list[Tool]:
        """Return the tools, by name."""
        return list(self._tools.values())

    def get(self, name: str) -> Tool:
        """Return a tool; raise `tool_not_found`."""
        if name not in self._tools:
            hint = did_you_mean(name, self._tools)
            raise ToolError("tool_not_found", "There is no tool of this name", hint=hint, tool=name)
        return self._tools[name]
