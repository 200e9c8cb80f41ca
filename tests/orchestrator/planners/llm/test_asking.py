"""Asking a model again: what is waited for, what is reserved, what is taken back."""

import asyncio
from datetime import timedelta

import pytest

from common.errors import ClientError
from common.plans import Usage
from orchestrator.planners.llm.asking import LONGEST_WAIT, Asker
from orchestrator.planners.llm.conversation import ModelFault, ModelRequest, Reply, Said, TooLong
from orchestrator.planners.protocol import Left, Purse, Speech, Surroundings

REQUEST = ModelRequest("system", [Said("hello")], [], max_output=1000)
REPLY = Reply({}, "done", (), "stop", Usage(input_tokens=10, output_tokens=5), "fake:one")


def fault(code="overloaded", retryable=True, has_cost=False, seconds=None):
    """Return what a model raises."""
    wait = None if seconds is None else timedelta(seconds=seconds)
    made = ModelFault(code, "the provider's words", retry_after=wait)
    made.retryable, made.has_cost = retryable, has_cost
    return made


class FakeModel:
    """Does what its script says: raises, or says some text and answers; a dollar a thousand tokens."""

    name, context = "fake:one", 32768

    def __init__(self, *script, text=""):
        self.script = list(script)
        self.text = text
        self.requests = []

    async def ask(self, request, say):
        self.requests.append(request)
        if self.text:
            await say(self.text)
        outcome = self.script.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def price_of(self, usage):
        return (usage.input_tokens + usage.output_tokens) / 1000


class Notes(Purse, Speech):
    """Writes down what is reserved, settled and said, in order."""

    def __init__(self):
        self.events = []

    async def reserve(self, tokens, cost):
        self.events.append(("reserve", tokens, cost))

    async def settle(self, usage):
        self.events.append(("settle", usage.input_tokens, usage.output_tokens))

    async def say(self, text):
        self.events.append(("say", text))

    async def begin_again(self):
        self.events.append(("begin_again",))


class World:
    """An Asker with a clock that only moves when it sleeps."""

    def __init__(self, attempts=6):
        self.now = 100.0
        self.waits = []
        self.notes = Notes()
        self.asker = Asker(attempts, self.sleep, lambda: self.now, lambda: 1.0)

    async def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    async def ask(self, model, left=Left(), request=REQUEST):  # noqa: B008  # it is frozen
        around = Surroundings(speech=self.notes, purse=self.notes)
        return await self.asker.ask(model, request, 500, around, left)


async def test_an_answer_is_reserved_for_and_left_for_the_turn_to_settle():
    """The engine settles it together with the turn; a settle here would count it twice."""
    world = World()
    assert await world.ask(FakeModel(REPLY, text="hi")) is REPLY
    assert world.notes.events == [("reserve", 1500, 1.5), ("say", "hi")]


async def test_a_model_that_is_overloaded_is_asked_again_after_its_retry_after():
    """Whoever comes sooner is refused again, and may be locked out."""
    world = World()
    assert await world.ask(FakeModel(fault(seconds=7), REPLY)) is REPLY
    assert world.waits == [7.0]


async def test_the_waits_between_attempts_double_up_to_a_bound():
    """A provider in trouble is not helped by a queue that knocks."""
    world = World(attempts=9)
    await world.ask(FakeModel(*[fault() for _ in range(8)], REPLY))
    assert world.waits == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_retry_after_of_hours_is_not_waited_for_in_full():
    """The worker's place is worth more than that; the attempts run out instead."""
    world = World()
    await world.ask(FakeModel(fault(seconds=7200), REPLY))
    assert world.waits == [LONGEST_WAIT]


async def test_a_fault_that_is_final_is_not_asked_again():
    """A wrong key stays wrong."""
    model = FakeModel(fault("model_unauthenticated", retryable=False), REPLY)
    with pytest.raises(ModelFault) as raised:
        await World().ask(model)
    assert (raised.value.code, len(model.requests)) == ("model_unauthenticated", 1)


async def test_the_attempts_at_one_answer_have_an_end():
    """Else a dead provider would keep a run for ever."""
    model = FakeModel(*[fault("upstream_failed") for _ in range(9)])
    with pytest.raises(ModelFault):
        await World(attempts=3).ask(model)
    assert len(model.requests) == 3


async def test_a_run_without_time_for_the_wait_ends_with_the_fault():
    """A deadline that passes in a pause would hide what was wrong."""
    world = World()
    with pytest.raises(ModelFault):
        await world.ask(FakeModel(fault(seconds=30), REPLY), Left(seconds=20.0))
    assert world.waits == []


async def test_what_a_broken_answer_had_said_is_taken_back_before_the_next():
    """A reader would see the beginning twice."""
    world = World()
    await world.ask(FakeModel(fault("upstream_failed", has_cost=True), REPLY, text="hel"))
    kinds = [event[0] for event in world.notes.events]
    assert kinds == ["reserve", "say", "reserve", "begin_again", "say"]


async def test_a_request_that_was_refused_costs_nothing():
    """Else a busy provider would use up the budget without one answer."""
    world = World()
    await world.ask(FakeModel(fault(), REPLY))
    assert [e for e in world.notes.events if e[0] == "settle"] == [("settle", 0, 0)]


async def test_a_request_that_is_too_long_costs_nothing_and_is_not_repeated():
    """The planner shortens it, and asks anew."""
    world = World()
    with pytest.raises(TooLong):
        await world.ask(FakeModel(TooLong("too long")))
    assert world.notes.events[-1] == ("settle", 0, 0)


async def test_an_answer_that_was_lost_stays_reserved_and_lessens_what_is_left():
    """It may have to be paid: the bound holds for what might be charged."""
    world = World()
    model = FakeModel(fault("upstream_failed", has_cost=True), REPLY)
    await world.ask(model, Left(tokens=2400))
    assert [e[:2] for e in world.notes.events] == [("reserve", 1500), ("reserve", 900)]
    assert [r.max_output for r in model.requests] == [1000, 400]


async def test_the_answer_is_no_longer_than_the_tokens_that_are_left():
    """The bound is hard: a longer one would break it."""
    model = FakeModel(REPLY)
    await World().ask(model, Left(tokens=900))
    assert model.requests[0].max_output == 400


async def test_the_answer_is_no_longer_than_the_money_that_is_left():
    """The same for its price."""
    model = FakeModel(REPLY)
    await World().ask(model, Left(cost=0.9))
    assert model.requests[0].max_output == pytest.approx(400, abs=1)


async def test_a_budget_too_small_for_an_answer_is_refused_by_the_purse():
    """A request for a few words would be paid for nothing."""
    world = World()

    async def refuse(tokens, cost):
        raise ClientError("budget_exceeded", f"{tokens} tokens are too many")

    world.notes.reserve = refuse
    model = FakeModel(REPLY)
    with pytest.raises(ClientError, match="756 tokens"):
        await world.ask(model, Left(tokens=520))
    assert model.requests == []


async def test_a_cancel_ends_the_wait_and_is_no_attempt():
    """It takes effect at once, and nothing is asked after it."""
    world = World()

    async def cancelled(_seconds):
        raise asyncio.CancelledError

    world.asker = Asker(6, cancelled, lambda: world.now, lambda: 1.0)
    model = FakeModel(fault(), REPLY)
    with pytest.raises(asyncio.CancelledError):
        await world.ask(model)
    assert len(model.requests) == 1
