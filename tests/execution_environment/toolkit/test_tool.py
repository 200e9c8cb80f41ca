"""What a tool is: its signature shows what it may do, and its arguments are checked before it is called."""

import pytest

from common.errors import ToolError
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.workspace import Workspace
from tests.execution_environment.conftest import refusal


async def test_tool_arguments_are_checked_without_being_repeated(call):
    """They may hold secrets."""
    error = await refusal(call("read_file", path=["hush-hush"], pth=1))
    assert isinstance(error, ToolError)
    assert [field.field for field in error.context.fields] == ["path", "pth"]
    assert "hush-hush" not in str(error.problem("execution_environment", None))
    assert (await refusal(call("nothing"))).code == "tool_not_found"


def look(arguments: Arguments, reader: Reader) -> Output:
    """Read something."""
    return Output()


def change(arguments: Arguments, workspace: Workspace) -> Output:
    """Change something."""
    return Output()


def change_by_the_name_of_a_reader(arguments: Arguments, reader: Workspace) -> Output:
    """Hide what it takes behind its parameter's name."""
    return Output()


@pytest.mark.parametrize(
    ("function", "effect", "wanted"),
    [
        (change, "read", "reader: Reader"),
        (change_by_the_name_of_a_reader, "read", "reader: Reader"),
        (look, "write", "workspace: Workspace"),
        (look, "destructive", "workspace: Workspace"),
        (change_by_the_name_of_a_reader, "write", "workspace: Workspace"),
    ],
)
def test_the_tool_decorator_refuses_a_view_that_does_not_go_with_the_effect(
    function, effect, wanted
):
    """A read tool could change something through a Workspace, and access would not stop it."""
    with pytest.raises(TypeError, match=f"{function.__name__}, effect '{effect}', .*'{wanted}'"):
        tool(effect=effect)(function)


def test_the_tool_decorator_takes_a_view_that_goes_with_the_effect():
    """The control; the name and the description are the function's."""
    for function, effect in ((look, "read"), (change, "write"), (change, "destructive")):
        spec = tool(effect=effect)(function).spec
        assert (spec.name, spec.description) == (function.__name__, function.__doc__)
        assert spec.effect == effect
