"""What a tool is: its arguments are checked before it is called."""

from common.errors import ToolError
from tests.execution_environment.conftest import refusal


async def test_tool_arguments_are_checked_without_being_repeated(call):
    """They may hold secrets."""
    error = await refusal(call("read_file", path=["hush-hush"], pth=1))
    assert isinstance(error, ToolError)
    assert [field.field for field in error.context.fields] == ["path", "pth"]
    assert "hush-hush" not in str(error.problem("execution_environment", None))
    assert (await refusal(call("nothing"))).code == "tool_not_found"
