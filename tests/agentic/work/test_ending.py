"""How the command ends when nobody reads, nothing can be written, or somebody leaves."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentic.terminal.prompt import Interrupted, Stopped
from agentic.work.ending import ExitCode, told
from common.errors import error
from tests.agentic.fakes import a_step, an_event

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]
STEPS = [an_event(n, "step.succeeded", **a_step(n=n)) for n in range(1, 200)]
ENDED = (*STEPS, an_event(200, "run.succeeded"))


def agentic(*arguments, **more):
    """Run the command as a process to its end."""
    options = {"stderr": subprocess.PIPE, "text": True, "timeout": 60, **more}
    return subprocess.run([*AGENTIC, *arguments], check=False, **options)


@pytest.fixture
def unread():
    """The end of a pipe whose reader has gone."""
    theirs, ours = os.pipe()
    os.close(theirs)
    yield ours
    os.close(ours)


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1)])
def test_a_run_that_nobody_reads_ends_as_it_ends(serve, unread, status, code):
    """`agentic run … | head -1` made 1 of a success; the run is what matters."""
    server = serve(serve().run.model_copy(update={"status": status}), events=ENDED)
    ended = agentic("run", "list", "--url", server.url, stdout=unread)
    assert (ended.returncode, ended.stderr) == (code, "")


@pytest.mark.parametrize("arguments", [["tools"], ["tools", "--json"]])
def test_a_list_that_nobody_reads_ends_as_other_tools_do(serve, unread, arguments):
    """As if by SIGPIPE: quietly, and a shell can tell."""
    ended = agentic(*arguments, "--url", serve().url, stdout=unread)
    assert (ended.returncode, ended.stderr) == (ExitCode.UNREAD, "")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_that_nobody_reads_ends_by_sigpipe(unread, arguments):
    """Like any program's."""
    ended = agentic(*arguments, stdout=unread)
    assert (ended.returncode, ended.stderr) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize(
    "arguments", [["run", "list"], ["tools"], ["tools", "--json"], ["--help"], ["--version"]]
)
@pytest.mark.parametrize("where", ["full", "closed"])
def test_output_that_cannot_be_written_is_one_line_and_code_1(serve, arguments, where):
    """Not a traceback, not twice, and not 120 at the interpreter's end."""
    url = [] if arguments[0].startswith("--") else ["--url", serve(events=ENDED).url]
    if where == "full":
        with Path("/dev/full").open("w") as full:
            ended = agentic(*arguments, *url, stdout=full)
    else:
        ended = agentic(*arguments, *url, preexec_fn=lambda: os.close(1))
    reason = "No space left on device" if where == "full" else "Bad file descriptor"
    assert ended.returncode == ExitCode.FAILED
    assert ended.stderr == f"error: standard output cannot be written: {reason}\n"


def test_a_closed_stdin_is_an_empty_one(serve):
    """`<&-` is what some supervisors do."""
    ended = agentic("chat", "--url", serve().url, stdout=-1, preexec_fn=lambda: os.close(0))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_closed_stderr_keeps_the_code(serve):
    """The line goes nowhere, and into no file that took its number."""
    server = serve(refusal=error("unauthenticated", "no"))
    ended = agentic("tools", "--url", server.url, stdout=-1, preexec_fn=lambda: os.close(2))
    assert (ended.returncode, ended.stdout) == (ExitCode.UNREACHABLE, "")


def test_a_terminal_without_utf8_gets_escapes(serve):
    """A traceback of the codec, it was."""
    server = serve(events=(an_event(1, "message.received", text="käse"), ENDED[-1]))
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = agentic("run", "list", "--url", server.url, stdout=-1, env=env)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (0, "message: k\\xe4se")


BEFORE_WORK = """
import os, signal, sys
moment = sys.argv[1]
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv[1:] = ["tools", "--url", "http://127.0.0.1:1"]
from agentic.cli import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "pydantic", "agentic.work.runs"])
def test_ctrl_c_while_the_command_is_imported_is_quiet(module):
    """Half a second of a traceback from somewhere in the import system."""
    command = [sys.executable, "-c", BEFORE_WORK, module]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    ("imported", "spared"),
    [
        ("agentic.cli", {"typer", "rich", "httpx", "pydantic", "asyncio"}),
        ("agentic.commands.app", {"httpx", "pydantic", "agentic.work.ending", "agentic.api"}),
    ],
)
def test_what_takes_its_time_is_not_imported_before_it_is_needed(imported, spared):
    """Not before `main` has seen to the signals; and not for the help, nor to complete a line."""
    code = f"import {imported}, sys; sys.stderr.write(' '.join({spared!r} & set(sys.modules)))"
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("failure", "code", "line"),
    [
        (OSError(28, "No space left on device"), 1, "error: No space left on device"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "error: a/b: Permission denied"),
        (OSError("odd"), 1, "error: odd"),
        (error("unavailable", "down"), 5, "error: down [unavailable]"),
        (KeyboardInterrupt(), 3, None),
        (Interrupted(), 3, None),
        (Stopped(), 3, None),
    ],
    ids=["disk", "path", "odd", "fault", "ctrl-c", "at a prompt", "signal"],
)
def test_each_way_to_end_has_its_line_and_code(capsys, failure, code, line):
    """One place for all commands."""
    assert told(failure) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[:1] == ([] if line is None else [line])
