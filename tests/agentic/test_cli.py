"""The command: arguments in, exit code and text out, against an orchestrator of canned answers."""

import json
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from agentic.cli import app
from agentic.commands.ending import ExitCode
from common.errors import error
from common.runs import RunResult
from common.tools import ToolSpec
from tests.agentic.fakes import SESSION, a_run, a_step, an_event

PLAN = {"steps": [{"name": "look", "tool": "list_directory", "arguments": {"path": "."}}]}
TOOL = ToolSpec(
    name="read_file", description="Reads.", effect="read", arguments_schema={}, output_schema={}
)


class Orchestrator(ThreadingHTTPServer):
    """Opens a session, starts a run and ends it as told; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, run, refusal=None, endless=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.run, self.refusal, self.endless = run, refusal, endless
        self.asked = []
        self.streaming, self.cancelled, self.over = (threading.Event() for _ in range(3))

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """The routes that the command uses."""

    def do_GET(self):
        """Events, the run, the tools."""
        if "/events" in self.path:
            self._stream()
        elif self.path.endswith("/tools"):
            self._answer(f"[{TOOL.model_dump_json()}]")
        else:
            self._answer(self.server.run.model_dump_json())

    def do_POST(self):
        """A session, a run, its cancel."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.path, self.headers, json.loads(body or b"null")))
        if self.path.endswith("/cancel"):
            self.server.cancelled.set()
        model = SESSION if self.path.endswith("/sessions") else self.server.run
        self._answer(model.model_dump_json())

    def _stream(self):
        self.send_response(200)
        self.end_headers()
        for event in (an_event(1, "step.succeeded", **a_step()), an_event(2, "run.succeeded")):
            self.wfile.write(f"data: {event.model_dump_json()}\n\n".encode())
            if self.server.endless:
                self.server.streaming.set()
                self.server.over.wait(30)
                return

    def _answer(self, text):
        refusal = self.server.refusal
        if refusal is not None:
            text = refusal.problem("orchestrator", "req_1").model_dump_json()
        self.send_response(200 if refusal is None else refusal.spec.status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def serve():
    """Start orchestrators; all are stopped afterwards."""
    servers = []

    def start(run=None, **more):
        server = Orchestrator(run or a_run(result=RunResult(answer="Done.", changes=[])), **more)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.over.set()
        server.shutdown()
        server.server_close()


def agentic(*arguments, **more):
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments, **more)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("succeeded", ExitCode.SUCCEEDED),
        ("failed", ExitCode.FAILED),
        ("cancelled", ExitCode.CANCELLED),
        ("awaiting_approval", ExitCode.AWAITING_PERSON),
        ("awaiting_input", ExitCode.AWAITING_PERSON),
    ],
)
def test_the_exit_code_tells_how_the_run_ended(serve, status, code):
    """Scripts branch on it."""
    ended = agentic("run", "list", "--url", serve(a_run(status=status)).url)
    assert ended.exit_code == code
    assert "\n" + status in ended.stdout


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        ("unauthenticated", ExitCode.UNREACHABLE),
        ("forbidden", ExitCode.UNREACHABLE),
        ("unavailable", ExitCode.UNREACHABLE),
        ("upstream_failed", ExitCode.UNREACHABLE),
        ("session_busy", ExitCode.FAILED),
        ("goal_not_understood", ExitCode.FAILED),
        ("internal", ExitCode.FAILED),
        ("invalid_request", ExitCode.USAGE),
    ],
)
def test_a_refusal_is_shown_with_all_that_helps(serve, refused, code):
    """Code, detail, hint and request id; never a traceback."""
    server = serve(refusal=error(refused, "what is wrong", hint="do this"))
    ended = agentic("run", "list", "--url", server.url)
    assert ended.exit_code == code
    assert ended.stdout.splitlines()[:2] == [
        f"error: what is wrong [{refused}]",
        "  hint: do this",
    ]
    assert "request: req_1 (orchestrator, " in ended.stdout
    assert not ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", ""],
        ["run", "list", "--plan", "-"],
        ["run", "--plan", "/nonexistent"],
        ["run", "--plan", "-"],
        ["run", "list", "--workspace", "../x"],
        ["run", "list", "--url", "nonsense"],
        ["run", "list", "--nonsense"],
        ["nonsense"],
        ["up", "--port", "x"],
        ["up", "--port", "65536"],
        ["up", "--port", "-1"],
    ],
)
def test_wrong_usage_is_told_and_sends_nothing(serve, arguments):
    """Exit code 2, with what to correct."""
    server = serve()
    more = [] if "--url" in arguments or arguments[0] != "run" else ["--url", server.url]
    ended = agentic(*arguments, *more, input='{"steps": []}')
    assert ended.exit_code == ExitCode.USAGE, ended.output
    assert ended.output
    assert [path for path, _, _ in server.asked if path.endswith("/runs")] == []


def test_a_plan_comes_from_a_file_or_from_stdin(serve, tmp_path):
    """Both send the same run."""
    server = serve()
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    for source in (str(tmp_path / "plan.json"), "-"):
        ended = agentic("run", "--plan", source, "--url", server.url, input=json.dumps(PLAN))
        assert ended.exit_code == 0, ended.output
    runs = [body for path, _, body in server.asked if path.endswith("/runs")]
    assert [run["plan"]["steps"][0]["name"] for run in runs] == ["look", "look"]


def test_a_plan_that_is_not_utf8_is_told(tmp_path):
    """It is a usage error, not a traceback."""
    (tmp_path / "plan.json").write_bytes(b"\xff")
    ended = agentic("run", "--plan", str(tmp_path / "plan.json"))
    assert ended.exit_code == ExitCode.USAGE
    assert "cannot be read" in ended.output


def test_the_command_says_who_it_is(serve, monkeypatch):
    """The audit trail tells the command from other clients; the settings come from variables."""
    server = serve()
    monkeypatch.setenv("AGENTIC_URL", server.url)
    monkeypatch.setenv("AGENTIC_API_KEY", "secret")
    assert agentic("run", "list", "--workspace", "w").exit_code == 0
    path, headers, body = server.asked[0]
    assert (path, body["workspace"]) == ("/v1/sessions", "w")
    assert headers["User-Agent"].startswith("agentic-cli/")
    assert headers["Authorization"] == "Bearer secret"


def test_the_output_off_a_terminal_is_plain_lines(serve):
    """One per step, then the answer and how it ended."""
    ended = agentic("run", "list", "--url", serve().url)
    step, answer, end = ended.stdout.splitlines()
    assert (step.split()[:3], answer) == (["1", "ok", "look:"], "Done.")
    assert end.startswith("succeeded: 0 steps")


def test_tools_lists_the_tools(serve):
    """What a plan can use."""
    ended = agentic("tools", "--url", serve().url)
    assert (ended.exit_code, ended.stdout) == (0, "read_file (read): Reads.\n")


def test_the_version_is_printed():
    """For bug reports."""
    ended = agentic("--version")
    assert ended.exit_code == 0
    assert ended.stdout.startswith("agentic 0.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_leaves_at_once(serve, number):
    """The run's end may never come; nobody has to wait for it."""
    server = serve(endless=True)
    code = "from agentic.cli import main; main()"
    command = [sys.executable, "-X", "faulthandler", "-c", code, "run", "list", "--url", server.url]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert server.streaming.wait(30)
        assert "look" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert server.cancelled.wait(30)
        process.send_signal(number)
        giving_up = threading.Timer(30, process.send_signal, [signal.SIGABRT])
        giving_up.start()  # if it hangs, it says where
        _, errors = process.communicate()
        giving_up.cancel()
    assert (process.returncode, errors) == (ExitCode.CANCELLED, "")
