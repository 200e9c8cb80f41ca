"""The registry: a tool is there because its module is."""

import pkgutil

import pytest

from common.errors import ToolError
from execution_environment import tools
from execution_environment.calls.registry import Registry, discover


def test_the_registry_finds_the_tool_of_each_module_in_tools():
    """By the name that the module has, in order of names: whoever adds one registers nothing."""
    modules = [module.name for module in pkgutil.iter_modules(tools.__path__)]
    registry = Registry(discover())
    assert [tool.spec.name for tool in registry.all()] == sorted(modules)
    assert registry.get("read_file").spec.effect == "read"


def test_the_registry_refuses_the_name_of_no_tool():
    """With the name, for a plan may call many, and the one that may be meant."""
    with pytest.raises(ToolError) as caught:
        Registry(discover()).get("nope")
    assert (caught.value.code, caught.value.context.tool) == ("tool_not_found", "nope")
    assert caught.value.hint == "GET /v1/tools lists the tools there are."
    with pytest.raises(ToolError) as caught:
        Registry(discover()).get("delete_file")
    assert caught.value.hint.startswith("Did you mean delete_path")
