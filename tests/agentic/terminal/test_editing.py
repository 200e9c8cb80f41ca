"""A text in the editor of a person's choice."""

import os
import shlex
import signal
import stat
import sys

import pytest

from agentic.terminal.editing import EditorError, edited


@pytest.fixture
def editor(tmp_path):
    """Write an editor in Python that is called with a file; return its command."""

    def make(code):
        path = tmp_path / "my editor.py"
        path.write_text(
            f"import os, pathlib, signal, sys\npath = pathlib.Path(sys.argv[-1])\n{code}\n"
        )
        return f"{shlex.quote(sys.executable)} '{path}' --wait"

    return make


@pytest.mark.parametrize(
    "environ", [{"VISUAL": 0}, {"EDITOR": 0}, {"VISUAL": 0, "EDITOR": "false"}]
)
def test_an_editors_text_is_returned(editor, environ):
    """VISUAL before EDITOR; either may have arguments."""
    command = editor("path.write_text(path.read_text() + 'more')")
    told = {name: value or command for name, value in environ.items()}
    assert edited("some", told) == "some\nmore"


def test_without_a_choice_one_of_the_usual_editors_is_taken(editor, tmp_path, monkeypatch):
    """The first that there is."""
    (tmp_path / "bin").mkdir()
    nano = tmp_path / "bin" / "nano"
    nano.write_text(f"#!/bin/sh\nexec {editor('path.write_text(chr(97))')} \"$@\"\n")
    nano.chmod(0o755)
    monkeypatch.setenv("PATH", str(nano.parent))
    assert edited("x", {}) == "a"


def test_without_any_editor_it_is_said_what_to_do(monkeypatch, tmp_path):
    """Instead of a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EditorError, match="set VISUAL or EDITOR"):
        edited("x", {})


@pytest.mark.parametrize("command", ["/nonexistent", "'", "   "])
def test_an_editor_that_cannot_be_started_is_told(command):
    """And what was to be edited is kept."""
    with pytest.raises(EditorError) as caught:
        edited("typed", {"EDITOR": command})
    assert caught.value.text == "typed"


def test_an_editor_that_fails_leaves_what_was_typed_for_the_next_time(editor):
    """As `:cq` does: nothing is to be done with it now."""
    with pytest.raises(EditorError, match="ended with 3") as caught:
        edited("some", {"EDITOR": editor("path.write_text('typed'); sys.exit(3)")})
    assert caught.value.text == "typed"


@pytest.mark.parametrize("code", ["path.write_bytes(b'\\xff')", "path.unlink()"])
def test_what_is_left_and_cannot_be_read_is_told(editor, code):
    """A guess would be sent."""
    with pytest.raises(EditorError, match="cannot be read"):
        edited("some", {"EDITOR": editor(code)})


def test_a_text_lies_there_for_its_owner_alone_and_goes_with_the_editor(editor):
    """It may hold what others are not to see."""
    code = "path.write_text(f'{path.parent} {path.parent.stat().st_mode}')"
    place, mode = edited("x", {"EDITOR": editor(code)}).split()
    assert stat.S_IMODE(int(mode)) == 0o700
    assert not os.path.exists(place)


def test_ctrl_c_in_an_editor_is_the_editors_own(editor):
    """The terminal sends it to both; afterwards it is ours again."""
    before = signal.getsignal(signal.SIGINT)
    code = "os.kill(os.getppid(), signal.SIGINT); path.write_text('on')"
    assert edited("x", {"EDITOR": editor(code)}) == "on"
    assert signal.getsignal(signal.SIGINT) is before
