"""Speech: the first piece at once, the others gathered, and a store that is away silences it only."""

import asyncio

import pytest

from orchestrator.engine.deciding.speech import RunSpeech
from orchestrator.store.backend import StoreUnavailable
from orchestrator.store.fencing import Fenced
from tests.orchestrator.fakes import until

LONG = 3600.0
"""Seconds between two writes: longer than any test, so that nothing is written for the time's sake."""


class Written:
    """Stands for the store: notes each write, or fails with what it was given for it."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.writes = []

    async def append_text(self, lease, t, before, text):
        """Note the place and the text."""
        self.writes.append((before, text))
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure


def speech_to(written, interval=LONG):
    """Return a speech on the way to turn 1."""
    return RunSpeech(written, None, 1, interval)


async def test_speech_shows_its_first_piece_at_once_and_gathers_the_others():
    """A write for each of a hundred tokens a second would be most of the store's work."""
    written = Written()
    async with speech_to(written) as speech:
        await speech.say("é")
        await until(lambda: written.writes)
        for piece in ("a", "", "b", "c"):
            await speech.say(piece)
        assert written.writes == [(0, "é")]
    assert written.writes == [(0, "é"), (2, "abc")]  # bytes of UTF-8: clients look for holes


async def test_speech_shows_what_it_has_gathered_when_the_pause_is_over():
    """A model that thinks after a sentence must not hold the end of it back."""
    written = Written()
    async with speech_to(written, 0.01) as speech:
        await speech.say("a")
        await until(lambda: written.writes)
        await speech.say("b")
        await until(lambda: len(written.writes) == 2)
        await until(lambda: speech._writing.done())
        await speech.say("c")
        await until(lambda: len(written.writes) == 3)
    assert written.writes == [(0, "a"), (1, "b"), (2, "c")]


async def test_speech_that_begins_again_takes_back_what_was_said_and_what_waits():
    """The answer broke off: the beginning of the next one stands at offset 0."""
    written = Written()
    async with speech_to(written) as speech:
        await speech.begin_again()  # nothing was said: nothing to take back
        await speech.say("bro")
        await until(lambda: written.writes)
        await speech.say("ken")
        await speech.begin_again()
        await speech.say("whole")
    assert written.writes == [(0, "bro"), (0, "whole")]


async def test_speech_falls_silent_when_the_store_is_away_and_ends_no_run():
    """What is said is shown only; the turn keeps it. Later pieces would stand behind a hole."""
    written = Written(None, StoreUnavailable("unavailable", "the store is away"))
    async with speech_to(written) as speech:
        await speech.say("a")
        await until(lambda: written.writes)
        await speech.say("b")
        await speech._catch_up()
        await speech.say("c")
        await speech.begin_again()
        await speech.say("d")
    assert written.writes == [(0, "a"), (1, "b")]


async def test_speech_of_a_worker_that_has_lost_its_run_raises_that():
    """Another worker speaks for the run now: the planner's request has to stop."""
    speech = speech_to(Written(Fenced("run")), 0)
    await speech.say("a")
    await until(lambda: speech._writing.done())
    with pytest.raises(Fenced):
        await speech.say("b")


async def test_speech_raises_at_its_end_what_its_last_write_met():
    """The last piece is written when nobody says anything any more."""
    written = Written(None, Fenced("run"))

    async def speak():
        async with speech_to(written) as speech:
            await speech.say("a")
            await until(lambda: written.writes)
            await speech.say("b")

    with pytest.raises(Fenced):
        await speak()


async def test_speech_leaves_no_task_behind_when_its_planner_is_cancelled():
    """A write after the run's end would bring back the text of a run that is over."""
    before = asyncio.all_tasks()
    begun, ended = asyncio.Event(), asyncio.Event()

    class Stuck:
        async def append_text(self, *_):
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    async def speak():
        async with speech_to(Stuck()) as speech:
            await speech.say("a")
            await asyncio.Event().wait()

    speaking = asyncio.create_task(speak())
    await begun.wait()
    speaking.cancel()
    await until(speaking.done)
    assert (speaking.cancelled(), ended.is_set(), asyncio.all_tasks()) == (True, True, before)
