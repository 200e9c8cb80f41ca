"""Lets a person edit a text in the editor of their choice."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agentic.terminal.prompt import own_signals

FALLBACKS = ("vi", "nano")


class EditorError(Exception):
    """No editor can be had, or it ended badly; the message says so. `text`: what was typed by then."""

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


def edited(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a text as a person's editor leaves it; like a prompt, it holds up the event loop.

    Raises EditorError, or Stopped at a signal that ends the command.
    """
    with tempfile.TemporaryDirectory(prefix="agentic-") as directory:  # for its owner alone
        path = Path(directory, "arguments.json")
        path.write_text(f"{text.rstrip()}\n", encoding="utf-8")
        code = _run([*_editor(environ, text), str(path)], text)
        left = _left_at(path, text)
    if code:
        raise EditorError(f"the editor ended with {code}: nothing is sent", left)
    return left


def _left_at(path: Path, text: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EditorError(f"what the editor has left cannot be read: {error}", text) from error


def _editor(environ: Mapping[str, str], text: str) -> list[str]:
    named = environ.get("VISUAL") or environ.get("EDITOR")
    found = [named] if named else list(filter(shutil.which, FALLBACKS))
    try:
        command = shlex.split(found[0]) if found else []
    except ValueError as error:
        raise EditorError(f"VISUAL or EDITOR cannot be read: {error}", text) from error
    if not command:
        raise EditorError("there is no editor: set VISUAL or EDITOR to one", text)
    return command


def _run(command: list[str], text: str) -> int:
    """Run an editor; Ctrl-C is its own affair meanwhile."""
    try:
        with own_signals(interrupt=lambda *_: None):
            return subprocess.run(command, check=False).returncode
    except OSError as error:
        raise EditorError(f"{command[0]} cannot be started: {error.strerror}", text) from error
