"""Arguments of calls as a person edits them: what was typed is kept until it is taken."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress

from pydantic import JsonValue

from agentic.terminal.editing import EditorError
from agentic.terminal.output import OutputError
from agentic.terminal.plans import as_json
from agentic.terminal.show import Display
from common.approvals.reviews import PlannedCall
from common.documents import strict_json
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
            self._note(call, error.text)
            raise
        self._note(call, text)
        arguments = strict_json.loads(text.encode(), "The text")
        if not isinstance(arguments, dict):
            raise ClientError("malformed_request", "The text is no JSON object")
        return arguments

    def drop(self, call: PlannedCall) -> None:
        """Forget the text of a call: its arguments are what it says."""
        self._texts.pop(call.n, None)

    def forget(self) -> None:
        """Forget all texts: the calls have their answers, as they are."""
        self._texts.clear()

    def keep(self, display: Display) -> None:
        """Write each text to a file of its own, for its owner alone, and say where."""
        told = [_kept(n, text) for n, text in self._texts.items()]
        with suppress(OutputError):  # of a terminal that is gone: what ends us is told by its code
            for line in told:
                display.line(line, "yellow")

    def _note(self, call: PlannedCall, text: str) -> None:
        """Keep a text for the next time, unless nothing was typed."""
        self._texts[call.n] = text
        if text.strip() == as_json(call.arguments):
            self.drop(call)


def _kept(n: int, text: str) -> str:
    try:
        descriptor, path = tempfile.mkstemp(prefix=f"agentic-step-{n}-", suffix=".json")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"what was typed for step {n} cannot be kept: {error.strerror}"
    return f"what was typed for step {n} and not taken is in {path}"
