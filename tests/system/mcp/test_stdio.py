"""`agentic mcp`: the official client starts it as a program, on real services."""

import asyncio
import contextlib
import json
import secrets
import signal
import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from mcp_types import ElicitResult

from agentic.local.ownership import noted_url
from tests.system.mcp.clients import approve
from tests.system.mcp.holding import audited_outcomes, hold, is_under_way, let_go
from tests.system.mcp.programs import INITIALIZE, Losing, line, opened, started
from tests.system.services import execution_environment, orchestrator, wait_until


@pytest.fixture
def program(shared, era):
    """Return what starts the program for the shared services, in an era."""
    return partial(started, "--workspace", "demo", "--url", shared.main.url, era=era)


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """Services where changes ask a person."""
    directory = tmp_path_factory.mktemp("asking")
    execution = execution_environment(directory).start()
    main = orchestrator(directory, execution, ORCHESTRATOR_APPROVAL="writes").start()
    main.demo = directory / "data" / "workspaces" / "local" / "demo"
    yield main
    assert (main.stop(), execution.stop()) == (0, 0)


def name():
    """Return the name of a file that no other test has."""
    return f"{secrets.token_hex(6)}.txt"


async def test_workspace_is_used_from_a_program(program, shared):
    """Its tools, its files, and what comes of a call: as over HTTP."""
    path = name()
    async with program() as client:
        assert client.server_info.name == "agentic-framework"
        assert "Files of one workspace" in client.instructions
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"read_file", "write_file", "apply_patch"} <= tools
        made = await client.call_tool("write_file", {"path": path, "content": "ä\n"})
        assert made.meta["agentic-framework/receipts"][0]["path"] == path
        read = await client.call_tool("read_file", {"path": path})
        assert read.structured_content["content"] == "ä\n"
        contents = (await client.read_resource(f"file:///{path}")).contents
        assert contents[0].text == "ä\n"
        missing = await client.call_tool("read_file", {"path": "missing"})
        assert missing.is_error
        assert missing.structured_content["code"] == "path_not_found"
    assert (shared.demo / path).read_text() == "ä\n"


async def test_runs_are_started_from_a_program(shared, era):
    """The other door: what drives agents. Their steps are told as they are done, in either era."""
    steps = []

    async def hear(_done, _total, message):
        steps.append(message)

    async with started("--runs", "--url", shared.main.url, era=era) as client:
        assert "start_run" in {tool.name for tool in (await client.list_tools()).tools}
        goal = {"workspace": "demo", "goal": "list .", "planner": "rules", "wait": 30}
        told = await client.call_tool("start_run", goal, progress_callback=hear)
        assert told.structured_content["status"] == "succeeded"
    assert steps == ["list_directory"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (approve(), None),
        (ElicitResult(action="decline"), "rejected"),
        (None, "approval_required"),
    ],
    ids=["approved", "declined", "nobody"],
)
async def test_change_asks_the_clients_user_in_either_era(asking, era, said, code):
    """An older client could not be asked over HTTP: here it is."""
    path = name()
    options = ("--workspace", "demo", "--url", asking.url)
    async with started(*options, era=era, said=said) as client:
        told = await client.call_tool("write_file", {"path": path, "content": "one\n"})
    assert (told.structured_content or {}).get("code") == code
    assert (asking.demo / path).exists() == (code is None)
    assert len(client.asked) == (said is not None)
    assert all("+one" in message for message in client.asked)


async def test_call_that_is_cancelled_is_settled(services, era):
    """It has happened by then, or it never will."""
    pair, path = services(), name()
    options = ("--workspace", "demo", "--url", pair.main.url)
    async with started(*options, era=era) as client:
        await client.call_tool("list_directory", {})
        hold(pair.execution)
        try:
            content = {"path": path, "content": "x"}
            calling = asyncio.create_task(client.call_tool("append_file", content))
            await asyncio.to_thread(wait_until, lambda: is_under_way(pair.execution))
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
        finally:
            let_go(pair.execution)
        async with asyncio.timeout(20):
            while not await audited_outcomes(pair, "append_file"):
                await asyncio.sleep(0.05)
        assert not (await client.call_tool("list_directory", {})).is_error


async def test_call_whose_answer_is_lost_has_one_effect(shared, era):
    """The program sends it again under the key that it has given it."""
    path = name()
    losing = Losing(shared.main.port, b'"append_file"', times=2)
    program = partial(started, "--workspace", "demo", era=era)
    async with losing.serving() as url, program("--url", url) as client:
        told = await client.call_tool("append_file", {"path": path, "content": "x"})
    assert told.meta["agentic-framework/call"]["replayed"]
    assert losing.left == 0
    assert (shared.demo / path).read_text() == "x"


async def test_programs_on_one_directory_share_a_stack_and_outlive_each_other(tmp_path, era):
    """Two editors, two workspaces: whoever was first may be closed first."""
    data, path = tmp_path / "data", name()
    one = partial(started, "--data-dir", str(data), "--workspace", "one", era=era)
    async with started("--data-dir", str(data), "--workspace", "two", era=era) as staying:
        first = noted_url(data)
        content = {"path": path, "content": "x"}
        await staying.call_tool("append_file", content)
        async with one() as client:
            assert noted_url(data) == first
            assert not (await client.call_tool("write_file", content)).is_error
    async with one() as client:  # the first has ended, and its stack
        assert noted_url(data) != first
        assert (await client.call_tool("read_file", {"path": path})).structured_content[
            "content"
        ] == "x"


async def test_program_goes_on_when_the_one_that_had_the_stack_has_ended(tmp_path):
    """It starts the stack again, on the same files."""
    data, path = tmp_path / "data", name()
    options = ("--data-dir", str(data), "--workspace", "demo")
    first = opened(*options)
    first.stdin.write(INITIALIZE)
    first.stdin.flush()
    assert "serverInfo" in await asyncio.to_thread(first.stdout.readline)
    async with started(*options) as staying:
        await staying.call_tool("append_file", {"path": path, "content": "x"})
        before = noted_url(data)
        await asyncio.to_thread(first.communicate)
        told = await staying.call_tool("append_file", {"path": path, "content": "y"})
        assert not told.is_error
        assert noted_url(data) != before
    assert (data / "execution/workspaces/local/demo" / path).read_text() == "xy"


def test_nothing_but_the_protocol_is_on_standard_output(tmp_path):
    """Not a word of the stack that it starts; at the end of its input it ends, with all of it."""
    data = tmp_path / "data"
    program = opened("--data-dir", str(data), "--workspace", "demo")
    asked = [
        INITIALIZE,
        line("notifications/initialized"),
        line("tools/list", number=1),
        "no message\n",
        line("tools/call", {"name": "read_file", "arguments": {"path": "x"}}, number=2),
    ]
    for message in asked:
        program.stdin.write(message)
    program.stdin.flush()
    told, _errors = program.communicate()
    assert program.returncode == 0
    answers = [json.loads(one) for one in told.splitlines()]
    assert {answer["jsonrpc"] for answer in answers} == {"2.0"}
    assert sorted(str(answer["id"]) for answer in answers) == ["0", "1", "2", "None"]
    assert owners(data) == []


def owners(data):
    """Return the processes of a directory's stack that go on."""
    pids = [pid for pid in (data / "up.pid").read_text().split() if pid.isdigit()]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_program_and_its_stack_while_its_client_says_nothing(tmp_path, number):
    """Standard input stays open: nobody waits for its next line."""
    data = tmp_path / "data"
    program = opened("--data-dir", str(data), "--workspace", "demo")
    program.stdin.write(INITIALIZE)
    program.stdin.flush()
    assert "serverInfo" in program.stdout.readline()
    program.send_signal(number)
    assert program.wait(timeout=30) == 3
    assert program.stdout.read() == ""
    assert owners(data) == []
    program.communicate()


@pytest.fixture
def held(services):
    """A program in the middle of a call, that of an execution environment that is let go by the test."""
    pair = services()
    program = opened("--workspace", "demo", "--url", pair.main.url)
    program.stdin.write(INITIALIZE)
    program.stdin.flush()
    program.stdout.readline()
    program.stdin.write(line("notifications/initialized"))
    program.stdin.write(append("first", number=1))
    program.stdin.flush()
    assert json.loads(program.stdout.readline())["id"] == 1
    hold(pair.execution)
    program.stdin.write(append("second", number=2))
    program.stdin.flush()
    wait_until(lambda: is_under_way(pair.execution))
    yield SimpleNamespace(program=program, execution=pair.execution)
    let_go(pair.execution)
    program.kill()
    program.communicate()


def append(content, number):
    """Return a call that appends to a file, as a line."""
    call = {"name": "append_file", "arguments": {"path": "held", "content": content}}
    return line("tools/call", call, number=number)


def test_call_under_way_at_the_end_of_the_input_is_answered(held):
    """Whoever pipes its calls in, as from a file, has all of their results."""
    held.program.stdin.close()
    held.program.stdin = None  # nobody flushes it again
    with pytest.raises(subprocess.TimeoutExpired):
        held.program.wait(timeout=0.5)
    let_go(held.execution)
    told = json.loads(held.program.stdout.readline())
    assert (told["id"], told["result"]["isError"]) == (2, False)
    assert held.program.wait(timeout=30) == 0
    assert held.program.stderr.read() == ""


def test_signal_in_the_middle_of_a_call_ends_the_program_in_order(held):
    """The calls are told to have no answer, also to a client that goes on to speak; nothing else is printed."""
    for number in range(3, 8):
        held.program.stdin.write(append("more", number=number))
    held.program.stdin.write(line("ping", number=0))
    held.program.stdin.flush()
    assert json.loads(held.program.stdout.readline())["id"] == 0
    held.program.send_signal(signal.SIGTERM)
    for _ in range(2, 8):
        assert json.loads(held.program.stdout.readline())["error"]["message"] == "Connection closed"
        with contextlib.suppress(BrokenPipeError):
            held.program.stdin.write(line("notifications/roots/list_changed"))
            held.program.stdin.flush()
    let_go(held.execution)
    assert held.program.wait(timeout=30) == 3
    assert held.program.stderr.read() == ""


def test_client_that_reads_no_more_ends_the_program_and_its_stack(tmp_path):
    """Whether it has closed its own side or not."""
    data = tmp_path / "data"
    program = opened("--data-dir", str(data), "--workspace", "demo")
    program.stdin.write(INITIALIZE)
    program.stdin.flush()
    assert "serverInfo" in program.stdout.readline()
    program.stdout.close()
    program.stdin.write(line("ping", number=1))
    program.stdin.flush()
    assert program.wait(timeout=30) == 141
    assert owners(data) == []
    program.stdin.close()
    program.stderr.close()


def test_server_that_is_not_there_is_told_on_standard_error(tmp_path):
    """Before anything is served; no stack is started where a server was named."""
    program = opened("--workspace", "demo", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    told, errors = program.communicate(timeout=60)
    assert (program.returncode, told) == (5, "")
    assert "unavailable" in errors
    assert "Traceback" not in errors
