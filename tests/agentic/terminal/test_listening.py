"""What a listener shows of a run's events, and what it reads because nobody heard it."""

import io

import httpx
import pytest
from rich.console import Console

from agentic.terminal.listening import Listener
from agentic.terminal.show import Display
from common.plans import Turn
from tests.agentic.fakes import Talking, a_delta, a_run, a_step, an_event


class Forgetful(Talking):
    """Turns cannot be read from it."""

    async def handle_async_request(self, request):
        """Answer the other routes."""
        if request.url.path.endswith("/turns"):
            self.asked.append("turns")
            raise httpx.ReadError("lost")
        return await super().handle_async_request(request)


STEP = an_event(2, "step.succeeded", **a_step())
STEP_LINE = '  1  ok     look: read_file(path="a.txt")  2 ms'


def a_turn(t, text):
    """A turn in which that was said."""
    return Turn.model_validate({"t": t, "text": text, "decided_at": 0})


def decided(t, text):
    """The event of that turn."""
    size = len(text.encode())
    return an_event(t, "turn.decided", t=t, calls=1, text_bytes=size, usage={"output_tokens": 3})


@pytest.fixture
def heard(connect):
    """Have an orchestrator's events shown; return the lines."""

    async def show(orchestrator, *events):
        file = io.StringIO()
        display = Display(Console(file=file, width=200))
        listener = Listener(await connect(orchestrator), display, a_run())
        for event in events:
            await listener.show(event)
        display.close()
        return file.getvalue().splitlines()

    return show


async def test_a_hole_in_what_is_said_is_filled_from_the_run(heard):
    """Pieces are not kept for those who come late, the text so far is."""
    lines = await heard(Talking(text="I look."), a_delta("I "), a_delta("k.", 5))
    assert lines == ["I look."]


@pytest.mark.parametrize("late", [(), ("I ", "look.")])
@pytest.mark.parametrize("early", ["", "I ", "No, wa"])
async def test_a_turn_that_was_heard_in_part_is_told_whole_before_its_steps(heard, early, late):
    """Pieces get lost, first or last ones; those that come late are not told again."""
    pieces = [a_delta(text, offset) for text, offset in zip(late, (0, 2), strict=False)]
    orchestrator = Talking(turns=[a_turn(1, "I look.")])
    lines = await heard(orchestrator, a_delta(early), decided(1, "I look."), *pieces, STEP)
    assert lines == ["I look.", STEP_LINE]


async def test_a_hole_in_what_was_said_is_filled_from_the_turn_that_it_has_become(heard):
    """A short answer is stored before its first piece has come to a client that is a little late."""
    orchestrator = Talking(turns=[a_turn(1, "I look.")])
    assert await heard(orchestrator, a_delta("k.", 5), decided(1, "I look.")) == ["I look."]


async def test_turns_that_were_heard_or_said_nothing_are_not_read(heard):
    """They hold all arguments."""
    orchestrator = Talking(turns=[a_turn(1, "käse")])
    silent = [decided(t, "") for t in range(2, 9)]
    await heard(orchestrator, a_delta("käse"), decided(1, "käse"), *silent)
    assert "turns" not in orchestrator.asked


async def test_who_follows_a_run_from_its_beginning_reads_its_turns_once(heard):
    """A hundred turns read a hundred times were ten thousand."""
    texts = [f"Turn {t}." for t in range(1, 9)]
    orchestrator = Talking(turns=[a_turn(t, text) for t, text in enumerate(texts, 1)])
    events = [decided(t, text) for t, text in enumerate(texts, 1)]
    assert await heard(orchestrator, *events) == texts
    assert orchestrator.asked.count("turns") == 1


async def test_an_older_service_that_does_not_tell_is_followed(heard):
    """Its events have no `text_bytes`."""
    old = an_event(1, "turn.decided", t=1, calls=1, usage=None)
    assert await heard(Talking(), a_delta("I look."), old, STEP) == ["I look.", STEP_LINE]


async def test_what_comes_late_is_told_where_its_turn_cannot_be_read(heard):
    """Then the pieces are all there is."""
    assert await heard(Forgetful(), decided(1, "I look."), a_delta("I look.")) == ["I look."]


async def test_a_text_that_cannot_be_read_ends_nothing(heard):
    """It is a piece of text; the run is what matters."""
    orchestrator = Forgetful()
    lines = await heard(
        orchestrator, a_delta("k.", 5), a_delta("!", 7), decided(1, "I look.!"), STEP
    )
    assert lines == [STEP_LINE]
    assert orchestrator.asked == ["run", "turns"] or len(orchestrator.asked) == 2


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text.delta", {}),
        ("text.delta", {"t": "x", "attempt": 1, "offset": 0, "text": 3}),
        ("turn.decided", {"t": None}),
        ("turn.decided", {"t": 1, "text_bytes": "many"}),
        ("step.started", {}),
        ("step.started", {"n": 1, "name": "x", "tool": "y", "arguments": [1]}),
        ("step.succeeded", {"n": 1}),
        ("step.failed", {**a_step(), "error": {"detail": 3}}),
    ],
)
async def test_an_event_whose_data_is_odd_is_told_and_passed_over(heard, kind, data):
    """A broken server, or a newer one, is no reason for a traceback: the run goes on."""
    lines = await heard(Talking(), an_event(1, kind, **data), STEP)
    assert lines[-1] == STEP_LINE
    assert lines[:-1] in ([], [f"… {kind} cannot be read"])


@pytest.mark.parametrize("data", [{}, {"question": 3}, {"run": 7}, {"run": {"status": []}}])
@pytest.mark.parametrize("kind", ["run.awaiting_input", "message.received", "gap", "a.newer.one"])
async def test_an_event_with_odd_fields_is_shown_as_far_as_it_goes(heard, kind, data):
    """Likewise of the others."""
    assert (await heard(Talking(), an_event(1, kind, **data), STEP))[-1] == STEP_LINE
