"""The command: arguments in, exit code and text out, against an orchestrator of canned answers."""

import json
import signal
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

import agentic as agentic_package
from agentic import work
from agentic.commands.app import app
from agentic.work.ending import ExitCode
from common.errors import error
from tests.agentic.fake_orchestrator import ASKS, DECIDES
from tests.agentic.fakes import RUN_ID, SESSION, a_run

PLAN = {"steps": [{"name": "look", "tool": "list_directory", "arguments": {"path": "."}}]}


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
        ("overloaded", ExitCode.UNREACHABLE),
        ("rate_limited", ExitCode.UNREACHABLE),
        ("goal_not_understood", ExitCode.USAGE),
        ("invalid_plan", ExitCode.USAGE),
        ("internal", ExitCode.FAILED),
        ("invalid_request", ExitCode.USAGE),
    ],
)
def test_a_refusal_is_shown_with_all_that_helps(serve, refused, code):
    """Code, detail, hint and request id, on standard error: what is piped on has none of it."""
    server = serve(refusal=error(refused, "what is wrong", hint="do this"))
    ended = agentic("run", "list", "--url", server.url)
    assert ended.exit_code == code
    assert ended.stderr.splitlines()[:2] == [
        f"error: what is wrong [{refused}]",
        "  hint: do this",
    ]
    assert "request: req_1 (orchestrator, " in ended.stderr
    assert not ended.stdout


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
        ["up", "--host", ""],
        ["up", "--port", "x"],
        ["up", "--port", "65536"],
        ["up", "--port", "-1"],
        ["run", "list", "--budget-steps", "0"],
        ["run", "list", "--budget-steps", "1001"],
        ["run", "list", "--budget-tokens", "0"],
        ["run", "list", "--budget-cost", "0"],
        ["run", "list", "--budget-cost", "nan"],
        ["run", "list", "--budget-seconds", "-1"],
        ["run", "list", "--tool", ""],
        ["run", "list", "--instructions", "x" * 20_001],
        ["run", "list", "--output-schema", "/nonexistent"],
        ["run", "list", "--output-schema", "/dev/null"],
        ["run", "list", "--output-schema", __file__],
        ["run", "list", "--base-url", "http://127.0.0.1:1"],
        ["run", "list", "--base-url", "nonsense", "--model", "openai:m"],
        ["run", "list", "--base-url", "http://127.0.0.1:1", "--model", "qwen"],
        ["up", "--base-url", "http://127.0.0.1:1"],
        ["up", "--models", "openai:m"],
        ["up", "--context", "4096"],
        ["up", "--context", "1", "--model", "openai:m"],
        ["up", "--model", "m"],
        ["chat", "--session", SESSION.id, "--workspace", "w"],
        ["chat", "--base-url", "http://127.0.0.1:1"],
        ["answer", f"{SESSION.id}/{RUN_ID}"],
        ["run", "list", "--approve", "sometimes"],
        ["approve"],
        ["approve", f"{SESSION.id}/{RUN_ID}", "--step", "0"],
        ["rules", "/nonexistent"],
        ["rules", "-"],
        ["run", "list", "--api-key", "a\nb"],
        ["run", "list", "--api-key", "\xe9"],
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


def test_a_run_is_sent_with_what_its_model_has_to_keep_to(serve, tmp_path):
    """Each option under its name in the contract."""
    server = serve()
    schema = {"type": "object"}
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    ended = agentic(
        "run", "list", "--url", server.url, "--model", "openai:m", "--instructions", "Be brief.",
        "--tool", "read_file", "--tool", "find_files", "--budget-tokens", "9", "--budget-cost", "0.5",
        "--budget-steps", "3", "--budget-seconds", "2", "--output-schema", tmp_path / "schema.json",
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    [sent] = server.sent("/runs")
    assert sent == {
        "goal": "list", "model": "openai:m", "instructions": "Be brief.",
        "tools": ["read_file", "find_files"], "output_schema": schema, "access": "read_write",
        "budget": {"steps": 3, "seconds": 2.0, "tokens": 9, "cost": 0.5}, "on_busy": "reject",
    }  # fmt: skip


def test_a_question_off_a_terminal_leaves_the_run_waiting(serve):
    """Exit code 4, and the line that answers it."""
    server = serve(a_run(status="awaiting_input", finished_at=None), events=ASKS)
    ended = agentic("run", "list", "--url", server.url, input="nobody asked\n")
    assert ended.exit_code == ExitCode.AWAITING_PERSON
    assert ended.stdout.splitlines()[0] == "question: Which?"
    assert f'agentic answer {SESSION.id}/{RUN_ID} "TEXT"' in ended.stdout
    assert server.sent("/messages") == []


def test_a_turn_off_a_terminal_is_left_waiting_and_shown(serve):
    """Exit code 4, what it would do, and the lines that answer it; typed or not, nothing is approved."""
    server = serve(a_run(status="awaiting_approval", finished_at=None), events=DECIDES)
    ended = agentic("run", "list", "--approve", "always", "--url", server.url, input="y\ny\n")
    assert ended.exit_code == ExitCode.AWAITING_PERSON
    assert "+++ b/src/a.txt" in ended.stdout
    assert f"agentic approve {SESSION.id}/{RUN_ID}" in ended.stdout
    assert server.sent("/approval") == []


def test_a_chat_off_a_terminal_leaves_a_turn_waiting(serve):
    """The lines of its input are goals: none is taken for a yes, and none can be run before it."""
    server = serve(a_run(status="awaiting_approval", finished_at=None), events=DECIDES)
    ended = agentic("chat", "--approve", "writes", "--url", server.url, input="first\ny\n")
    assert ended.exit_code == ExitCode.AWAITING_PERSON, ended.output
    [sent] = server.sent("/runs")
    assert (sent["goal"], sent["approval"]) == ("first", "writes")
    assert f"agentic approve {SESSION.id}/{RUN_ID}" in ended.stdout
    assert server.sent("/approval") == []


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (["approve", "--step", "1"], {"decision": "approve", "steps": [1]}),
        (["reject", "--reason", "no"], {"decision": "reject", "steps": [1], "reason": "no"}),
    ],
)
def test_a_turn_is_decided_by_command(serve, arguments, sent):
    """From a script, or a day later."""
    server = serve(a_run(status="queued"))
    command, *more = arguments
    ended = agentic(command, f"{SESSION.id}/{RUN_ID}", *more, "--url", server.url)
    assert ended.exit_code == 0, ended.output
    assert server.sent("/approval") == [sent]


def test_an_answer_is_sent_by_its_command(serve):
    """From a script, or a day later."""
    server = serve(a_run(status="queued"))
    ended = agentic("answer", f"{SESSION.id}/{RUN_ID}", "That one.", "--url", server.url)
    assert (ended.exit_code, ended.stdout) == (0, f"queued: {RUN_ID}\n")
    assert server.sent(f"/{RUN_ID}/messages") == [{"text": "That one."}]


def test_an_answer_that_nobody_waits_for_is_refused(serve):
    """The run has ended."""
    server = serve(refusal=error("invalid_state", "The run has ended"))
    ended = agentic("answer", f"{SESSION.id}/{RUN_ID}", "That one.", "--url", server.url)
    assert ended.exit_code == ExitCode.FAILED
    assert "The run has ended [invalid_state]" in ended.stderr


def test_a_chat_off_a_terminal_takes_the_lines_of_its_input(serve):
    """Scripts talk as well: two runs in one session, and a question that the next line answers."""
    server = serve(events=ASKS)
    lines = "first\nThat one.\nsecond\nThis one.\n"
    ended = agentic("chat", "--workspace", "w", "--url", server.url, input=lines)
    assert ended.exit_code == 0, ended.output
    assert [run["goal"] for run in server.sent("/runs")] == ["first", "second"]
    assert [one["text"] for one in server.sent("/messages")] == ["That one.", "This one."]
    assert server.sent("/sessions") == [{"workspace": "w", "metadata": {}}]
    assert ended.stdout.count("Done.") == 2
    assert "> " not in ended.stdout


def test_a_chat_whose_input_ends_at_a_question_leaves_the_run_waiting(serve):
    """As `run` does: the answer can come later."""
    server = serve(a_run(status="awaiting_input", finished_at=None), events=ASKS)
    ended = agentic("chat", "--url", server.url, input="first\n")
    assert ended.exit_code == ExitCode.AWAITING_PERSON, ended.output
    assert "agentic answer" in ended.stdout
    assert server.sent("/messages") == []


def test_a_chat_goes_on_with_a_session(serve):
    """Whose earlier runs it remembers."""
    server = serve()
    ended = agentic("chat", "--session", SESSION.id, "--url", server.url, input="/session\nlist\n")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout.startswith(f"{SESSION.id} (workspace demo)\n")
    assert server.sent("/sessions") == []
    assert len(server.sent(f"/{SESSION.id}/runs")) == 1


def test_a_chat_without_an_orchestrator_is_told(serve):
    """At once, and not at the first line."""
    ended = agentic("chat", "--url", serve(refusal=error("unavailable", "down")).url, input="x\n")
    assert ended.exit_code == ExitCode.UNREACHABLE


def test_a_chats_input_need_not_be_text(serve):
    """What is not UTF-8 is shown as such, never a traceback."""
    server = serve()
    ended = agentic("chat", "--url", server.url, input=b"caf\xe9\n")
    assert ended.exit_code == 0, ended.output
    assert [run["goal"] for run in server.sent("/runs")] == ["caf\ufffd"]


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


def test_leaving_a_run_that_is_followed_lets_it_go_on(serve):
    """Who looks on has not started it."""
    server = serve(endless=True)
    command = [sys.executable, "-c", "from agentic.cli import main; main()"]
    arguments = ["follow", f"{SESSION.id}/{RUN_ID}", "--url", server.url]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert "look" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (ExitCode.CANCELLED, "")
    assert not server.cancelled.is_set()


def test_every_name_of_the_package_is_there_when_it_is_used():
    """They are imported late; one that is misspelt is an error like any other."""
    assert {getattr(agentic_package, name).__name__ for name in agentic_package.__all__} == set(
        agentic_package.__all__
    )
    for module in (agentic_package, work):
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            module.nonsense  # noqa: B018
