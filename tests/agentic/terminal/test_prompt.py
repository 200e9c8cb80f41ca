"""Reading a person's lines, at a real terminal too: `agentic chat` on a pseudo-terminal."""

import io
import os
import pty
import select
import signal
import stat
import subprocess
import sys

import pytest

from agentic.terminal.prompt import MOMENT, Prompt, Stopped, own_signals, remembered
from agentic.work.ending import ExitCode
from tests.agentic.fake_orchestrator import ASKS, DECIDES
from tests.agentic.fakes import RUN_ID, SESSION, a_run, a_step, an_event

CHAT = [sys.executable, "-c", "from agentic.cli import main; main()", "chat", "--url"]
OWN = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from agentic.cli import main; main()"
CANCELLED = (an_event(1, "step.succeeded", **a_step()), an_event(2, "run.cancelled"))


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, command, **env):
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb", **env},
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def type(self, text):
        """Press keys."""
        os.write(self._ours, text.encode())

    def see(self, text):
        """Wait until this is there, and take all up to it away."""
        while text not in self.text:
            assert select.select([self._ours], [], [], 30)[
                0
            ], f"{text!r} does not come: {self.text!r}"
            self.text += os.read(self._ours, 1000).decode()
        self.text = self.text.partition(text)[2]

    def is_silent_for(self, seconds):
        """Tell whether nothing is printed for so long."""
        return not select.select([self._ours], [], [], seconds)[0]

    def hang_up(self):
        """Close the window: the command is told by a signal where the terminal is its own (OWN)."""
        os.close(self._ours)
        self._ours = None

    def close(self):
        """End the command, if it has not."""
        self.process.kill()
        self.process.wait()
        if self._ours is not None:
            os.close(self._ours)


@pytest.fixture
def terminal(tmp_path):
    """Start commands on terminals of their own; their state is in the test's directory."""
    opened = []

    def start(*command):
        opened.append(Terminal(command, XDG_STATE_HOME=str(tmp_path)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_ctrl_c_twice_at_a_chats_prompt_ends_it(serve, terminal):
    """Exit code 0: it was meant."""
    chat = terminal(*CHAT, serve().url)
    chat.see("> ")
    chat.process.send_signal(signal.SIGINT)
    chat.see("Ctrl-C again")
    chat.see("> ")
    chat.process.send_signal(signal.SIGINT)
    assert chat.process.wait(30) == 0


def test_ctrl_c_cancels_a_chats_run_and_ctrl_d_ends_the_chat(serve, terminal):
    """Between the two it asks for the next line."""
    server = serve(a_run(status="cancelled"), endless=True, events=CANCELLED)
    chat = terminal(*CHAT, server.url)
    chat.see("> ")
    chat.type("list\r")
    chat.see("look: read_file")
    chat.process.send_signal(signal.SIGINT)
    assert server.cancelled.wait(30)
    server.over.set()
    chat.see("cancelled: ")
    chat.see("> ")
    chat.type("\x04")
    assert chat.process.wait(30) == 0


def test_a_terminals_lines_are_kept_for_their_owner_alone(serve, terminal, tmp_path):
    """The next conversation offers them; an answer to a question is not among them."""
    chat = terminal(*CHAT, serve(events=ASKS).url)
    chat.see("> ")
    chat.type("list\r")
    chat.see("answer> ")
    chat.type("secret\r")
    chat.see("succeeded: ")
    chat.see("> ")
    chat.type("/quit\r")
    assert chat.process.wait(30) == 0
    history = tmp_path / "agentic" / "chat_history"
    assert history.read_text().splitlines() == ["list", "/quit"]
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_a_question_at_a_terminal_is_answered_there(serve, terminal):
    """`agentic run` asks who has started it."""
    server = serve(events=ASKS)
    run = terminal(*CHAT[:3], "run", "list", "--url", server.url)
    run.see("question: Which?")
    run.see("answer> ")
    run.type("\rThat one.\r")
    assert run.process.wait(30) == 0
    assert server.sent("/messages") == [{"text": "That one."}]


def test_a_turn_at_a_terminal_is_edited_and_approved_there(serve, terminal, tmp_path):
    """In an editor of the person's own, on the same terminal."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho editing\necho \'{"path": "b", "text": "c"}\' >"$1"\n')
    editor.chmod(0o755)
    server = serve(events=DECIDES)
    command = [*CHAT[:3], "run", "list", "--approve", "writes", "--read-only", "--url", server.url]
    run = terminal("env", f"EDITOR={editor}", *command)
    run.see("+new")
    run.see("Do it? ")
    run.type("e\r")
    run.see("editing")
    run.see("(edited)")
    run.see("+c")
    run.see("Do it? ")
    run.type("y\r")
    assert run.process.wait(30) == 0
    [sent] = server.sent("/runs")
    assert (sent["approval"], sent["access"]) == ("writes", "read_only")
    assert server.sent("/approval") == [{"decision": "approve", "steps": [1]}]


@pytest.mark.parametrize(
    ("command", "does_cancel"),
    [(["run", "list"], True), (["follow", f"{SESSION.id}/{RUN_ID}"], False)],
)
def test_ctrl_c_at_a_turn_is_as_at_a_question(serve, terminal, command, does_cancel):
    """Who has started the run ends it; who looks on only leaves."""
    server = serve(a_run(status="cancelled"), events=DECIDES)
    run = terminal(*CHAT[:3], *command, "--url", server.url)
    run.see("Do it? ")
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == ExitCode.CANCELLED
    assert (server.cancelled.is_set(), server.sent("/approval")) == (does_cancel, [])


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_stops_the_command_ends_the_wait_for_a_line(serve, terminal, number):
    """A person who is away must not keep it."""
    chat = terminal(*CHAT, serve().url)
    chat.see("> ")
    chat.process.send_signal(number)
    assert chat.process.wait(30) == ExitCode.CANCELLED


@pytest.mark.usefixtures("hangup")
def test_a_terminal_that_is_closed_at_a_turn_ends_the_command_in_order(serve, terminal):
    """The input ends and a signal comes, both at once: it must not die of what looks up signals."""
    for command in (["run", "list"], ["follow", f"{SESSION.id}/{RUN_ID}"]):
        server = serve(a_run(status="awaiting_approval"), events=DECIDES)
        run = terminal(sys.executable, "-c", OWN, *command, "--url", server.url)
        run.see("[q]uit (later): ")
        assert run.is_silent_for(2 * MOMENT)
        run.hang_up()
        assert run.process.wait(30) == ExitCode.CANCELLED
        assert (server.cancelled.is_set(), server.sent("/approval")) == (False, [])


@pytest.mark.usefixtures("hangup")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_the_wait_ends_the_command_once_all_is_set_back(number):
    """Handlers that are left half restored would be heard no more."""
    before, reached = signal.getsignal(number), []

    def await_a_line():
        with own_signals() as stop:
            stop.ends_wait = False
            os.kill(os.getpid(), number)
            reached.append(number)

    with pytest.raises(Stopped):
        await_a_line()
    assert (reached, signal.getsignal(number)) == ([number], before)


@pytest.mark.usefixtures("hangup")
def test_a_signal_at_a_question_ends_the_chat(serve, terminal):
    """And not the run alone: who sends it means the command."""
    chat = terminal(*CHAT, serve(events=ASKS).url)
    chat.see("> ")
    chat.type("list\r")
    chat.see("answer> ")
    chat.process.send_signal(signal.SIGTERM)
    assert chat.process.wait(30) == ExitCode.CANCELLED


def test_a_home_that_cannot_be_written_to_keeps_nobody_from_talking(serve, terminal, tmp_path):
    """There is no history then, and the chat says so."""
    (tmp_path / "agentic").touch()
    chat = terminal(*CHAT, serve().url)
    chat.see("no history: ")
    chat.see("> ")
    chat.type("list\r")
    chat.see("succeeded: ")


def test_off_a_terminal_lines_come_from_standard_input(monkeypatch):
    """Without a prompt; None after the last one."""
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n\ntwo"))
    prompt = Prompt()
    assert prompt.is_terminal is False
    assert [prompt.read("> ") for _ in range(4)] == ["one", "", "two", None]


def test_an_empty_answer_is_none(monkeypatch):
    """The service takes no empty message."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\nThat one.\n"))
    assert Prompt().answer("Which?") == "That one."


def test_reading_a_line_leaves_the_signals_as_they_were(monkeypatch):
    """The loop, and who started it, have handlers of their own."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n"))
    Prompt().read("> ")
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_history_that_is_there_is_taken_over_and_closed_to_others(tmp_path):
    """An earlier mode may have been wider."""
    path = tmp_path / "state" / "history"
    path.parent.mkdir()
    path.write_text("old\n")
    path.chmod(0o644)
    with remembered(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "old" in path.read_text()
