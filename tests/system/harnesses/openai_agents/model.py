"""A model of the OpenAI Agents SDK that says what a test has written down, and keeps what it was told."""

import json

from agents import Model, ModelResponse, Usage
from openai.types.responses import (
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from common.ids import new_id


def says(text):
    """Return an answer in words, which ends a run."""
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(
        id="msg", type="message", role="assistant", status="completed", content=[part]
    )


def calls(name, **arguments):
    """Return a call of a function."""
    return ResponseFunctionToolCall(
        type="function_call", call_id=new_id("call"), name=name, arguments=json.dumps(arguments)
    )


def patches(*lines):
    """Return a call of the SDK's `apply_patch`."""
    text = "\n".join(("*** Begin Patch", *lines, "*** End Patch"))
    return ResponseCustomToolCall(
        type="custom_tool_call", call_id=new_id("call"), name="apply_patch", input=text
    )


class ScriptedModel(Model):
    """Gives its answers one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.tools, self.instructions, self.inputs = [], None, []

    async def get_response(self, **asked):
        """Return the next answer."""
        self.instructions = asked["system_instructions"]
        self.tools = [tool.name for tool in asked["tools"]]
        self.inputs.append(asked["input"])
        return ModelResponse(output=[self.answers.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *_, **__):
        """No test streams."""
        raise AssertionError("not streamed")

    def outputs(self):
        """Return what the calls so far have given, as the model has read it."""
        return [item["output"] for item in self.inputs[-1] if "output" in item]
