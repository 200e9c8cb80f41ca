"""Arguments of calls as a person edits them: what was typed is kept until it is taken."""

from collections.abc import Callable

from pydantic import JsonValue

from agentic.terminal.editing import EditorError
from agentic.terminal.plans import as_json
from common import strict_json
from common.approvals.reviews import PlannedCall
from common.errors import ClientError

Edit = Callable[[str], str]
"""Lets a person edit a text; raises EditorError."""


class Drafts:
    """The texts of one turn's calls."""

    def __init__(self, edit: Edit) -> None:
        self._edit = edit
        self._texts: dict[int, str] = {}

    def edited(self, call: PlannedCall) -> dict[str, JsonValue]:
        """Have a call's arguments edited, or what was made of them before.

        Raises EditorError, and `malformed_request` for what is no JSON object.
        """
        try:
            text = self._edit(self._texts.get(call.n, as_json(call.arguments)))
        except EditorError as error:
            self._texts[call.n] = error.text
            raise
        self._texts[call.n] = text
        arguments = strict_json.loads(text.encode(), "The text")
        if not isinstance(arguments, dict):
            raise ClientError("malformed_request", "The text is no JSON object")
        return arguments

    def drop(self, call: PlannedCall) -> None:
        """Forget the text of a call: its arguments are what it says."""
        self._texts.pop(call.n, None)
