"""A conversation: lines in, runs of one session out."""

import asyncio
import io
import os
import signal

import httpx
import pytest
from rich.console import Console

from agentic.terminal.chat import Chat
from agentic.terminal.prompt import Interrupted
from agentic.terminal.running import Order
from agentic.terminal.show import Display
from common.errors import error
from common.runs import RunResult
from tests.agentic.fake_plans import AWAITS, Waiting
from tests.agentic.fakes import RUN_ID, SESSION, Talking, a_delta, a_run, a_step, an_event, problem
from tests.orchestrator.fakes import until

ENDED = an_event(9, "run.succeeded")
CTRL_C = Interrupted()


class Lines:
    """A person who types these lines; an exception is what the terminal raises."""

    is_terminal = True

    def __init__(self, *lines):
        self.lines = list(lines)
        self.answers = []

    def read(self, label, *, remember=False):
        """The next line, until there is none."""
        line = self.lines.pop(0) if self.lines else None
        if isinstance(line, Exception):
            raise line
        return line

    def answer(self, question):
        """The next line, which answers."""
        return self.read("answer> ")


@pytest.fixture
def talk(connect):
    """Hold a conversation with an orchestrator; return what was printed."""

    async def hold(orchestrator, *lines, model=None, approval=None):
        file = io.StringIO()
        display = Display(Console(file=file, width=200))
        client = await connect(orchestrator)
        terms = Order(model=model, approval=approval)
        await Chat(client, display, Lines(*lines), SESSION, terms).talk()
        return file.getvalue()

    return hold


async def test_each_line_of_a_chat_is_a_run_in_the_one_session(talk):
    """Which remembers: the second builds on the first."""
    orchestrator = Talking([a_delta("One."), ENDED], [a_delta("Two."), ENDED])
    printed = await talk(orchestrator, "first", "", "  second ")
    assert orchestrator.said("runs") == ["first", "second"]
    assert [path for path, _ in orchestrator.posted] == ["runs", "runs"]
    assert [line for line in printed.splitlines() if line in ("One.", "Two.")] == ["One.", "Two."]


async def test_a_question_in_a_chat_is_answered_by_the_next_line(talk):
    """It is no goal of a run of its own."""
    asks = an_event(2, "run.awaiting_input", question="Which?")
    orchestrator = Talking([asks, None, ENDED], [ENDED])
    await talk(orchestrator, "first", "That one.", "second")
    assert (orchestrator.said("messages"), orchestrator.said("runs")) == (
        ["That one."],
        ["first", "second"],
    )


async def test_a_turn_that_waits_in_a_chat_is_decided_there(talk):
    """The next line is the answer, and no goal; the run is asked for on those terms."""
    orchestrator = Waiting()
    await talk(orchestrator, "first", "y", approval="writes")
    assert orchestrator.said("runs") == ["first"]
    assert orchestrator.posted[0][1]["approval"] == "writes"
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]


@pytest.mark.parametrize("leave", ["q", None])
async def test_a_turn_that_was_left_in_a_chat_is_asked_again_before_the_next_line(talk, leave):
    """A session has one run at a time: the line is run once that one has ended."""
    orchestrator = Waiting(events=[an_event(1, "step.succeeded", **a_step()), AWAITS, None])
    orchestrator._runs += [[AWAITS, None, ENDED], [ENDED]]
    printed = await talk(orchestrator, "first", leave, "second", "y")
    assert f"run {RUN_ID} still waits: it comes first" in printed
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1]})]
    assert orchestrator.said("runs") == ["first", "second"]
    assert orchestrator.after == ["0", "1", "0"]


async def test_a_line_is_not_run_while_the_turn_before_it_is_left_again(talk):
    """And the next one asks as well."""
    orchestrator = Waiting()
    orchestrator._runs += [[AWAITS, None, ENDED], [AWAITS, None, ENDED], [ENDED]]
    printed = await talk(orchestrator, "first", "q", "second", "q", "third", "y")
    assert "not run, for that one waits: second" in printed
    assert orchestrator.said("runs") == ["first", "third"]


async def test_a_chat_tells_who_holds_it_of_a_run_that_waits_at_its_end(connect):
    """Whose exit code it is."""
    orchestrator = Waiting()
    display, client = Display(Console(file=io.StringIO())), await connect(orchestrator)
    waiting = await Chat(client, display, Lines("first", "q", "/quit"), SESSION).talk()
    assert waiting.id == RUN_ID
    orchestrator = Talking([ENDED])
    assert await Chat(await connect(orchestrator), display, Lines("x"), SESSION).talk() is None


async def test_ctrl_c_in_a_chat_cancels_the_run_and_not_the_chat(talk):
    """The next line is taken as ever."""

    class Interrupting(Talking):
        async def handle_async_request(self, request):
            if request.url.path.endswith("/events") and not self.said("cancel"):
                os.kill(os.getpid(), signal.SIGINT)
            return await super().handle_async_request(request)

    orchestrator = Interrupting([None, an_event(2, "run.cancelled")], [ENDED])
    await talk(orchestrator, "first", "second")
    assert [path for path, _ in orchestrator.posted] == ["runs", "cancel", "runs"]


async def test_a_second_ctrl_c_leaves_a_run_that_does_not_end(talk):
    """And says so; the chat is still there."""

    class Stubborn(Talking):
        async def handle_async_request(self, request):
            if request.url.path.rpartition("/")[2] in ("events", "cancel") and self.stubborn:
                self.stubborn -= 1
                os.kill(os.getpid(), signal.SIGINT)
            return await super().handle_async_request(request)

        stubborn = 2

    orchestrator = Stubborn([None, None], [ENDED])
    printed = await talk(orchestrator, "first", "second")
    assert "it may still go on" in printed
    assert orchestrator.said("runs") == ["first", "second"]


async def test_ending_a_chat_ends_following_its_run(connect):
    """A signal that stops the command must not leave a task behind."""
    orchestrator = Talking([None])
    display, client = Display(Console(file=io.StringIO())), await connect(orchestrator)
    talking = asyncio.create_task(Chat(client, display, Lines("first"), SESSION).talk())
    await until(lambda: orchestrator.said("runs"))
    others = asyncio.all_tasks() - {asyncio.current_task(), talking}
    assert others
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking
    assert all(other.done() for other in others)


@pytest.mark.parametrize(
    ("typed", "ran"),
    [
        (["/quit", "x"], []),
        ([CTRL_C, CTRL_C, "x"], []),
        ([CTRL_C, "x", CTRL_C, "y"], ["x", "y"]),
        ([CTRL_C, None, "x"], []),
        ([None, "x"], []),
    ],
)
async def test_a_chat_ends_by_quit_ctrl_d_or_ctrl_c_twice(talk, typed, ran):
    """Twice in a row: a single one is a slip."""
    orchestrator = Talking([ENDED], [ENDED])
    printed = await talk(orchestrator, *typed)
    assert orchestrator.said("runs") == ran
    assert ("Ctrl-C again" in printed) is (CTRL_C in typed)


async def test_a_chats_commands_are_no_goals(talk):
    """A misspelt one is told where to look."""
    orchestrator = Talking()
    printed = await talk(orchestrator, "/help", "/session", "/nonsense", "/model", model="a:b")
    assert orchestrator.posted == []
    assert "/quit" in printed
    assert f"{SESSION.id} (workspace demo)" in printed
    assert "there is no /nonsense; /help lists what there is" in printed
    assert "model: a:b" in printed


async def test_a_chats_model_can_be_changed(talk):
    """From the next run on."""
    orchestrator = Talking([ENDED], [ENDED])
    await talk(orchestrator, "first", "/model c:d", "second", model="a:b")
    assert [body["model"] for path, body in orchestrator.posted if path == "runs"] == ["a:b", "c:d"]


async def test_an_error_ends_the_run_and_not_the_chat(talk):
    """The service may be back at the next line."""

    class Refusing(Talking):
        async def handle_async_request(self, request):
            answer = await super().handle_async_request(request)
            busy = problem(error("session_busy", "another run goes on"))
            return busy if len(self.posted) == 1 and request.method == "POST" else answer

    orchestrator = Refusing([ENDED])
    printed = await talk(orchestrator, "first", "second")
    assert "another run goes on [session_busy]" in printed
    assert orchestrator.said("runs") == ["first", "second"]


async def test_a_fault_of_the_command_itself_is_not_hidden(talk):
    """Only what the service says is shown and passed over."""

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await talk(Broken(), "first")


async def test_an_answer_that_was_said_in_the_run_before_is_printed(talk):
    """What one run has said is no reason to leave out another's answer."""
    orchestrator = Talking(
        [a_delta("Done."), ENDED], [ENDED], run=a_run(result=RunResult(answer="Done.", changes=[]))
    )
    assert (await talk(orchestrator, "first", "second")).splitlines().count("Done.") == 2
