"""The provider of the load's models: its answers follow from the conversation, its faults from the seed.

So any number of runs can be asked for at once, again after a crash too, and who counts the requests knows
afterwards which of them have failed.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.system.chaos.asked import SEED
from tests.system.chaos.load import Place, plan, planned, policy
from tests.system.models.answers import Answer, Conversation, Wanted, broken, overloaded
from tests.system.models.fake import Remote, in_a_process

SIZES = ((5, 5), (4, 3, 3), (3, 2, 3, 2))
"""Calls of the turns before the answer: together the steps of the load's plan."""
TOKENS = {"input_tokens": 100, "output_tokens": 10}
SLOWNESS = 1.0
"""Seconds until an answer begins, at most: some owners are lost meanwhile."""
FAULTY = 0.2
"""Share of the requests that fail."""
MOST_FAULTS = 3
"""Of one answer: a run goes on asking for longer than that."""
_TASK = re.compile(r"The task:\nrun (\d+) of session (\d+)")


def is_for_a_model(run: int) -> bool:
    """Tell whether a model is asked for a run: two of seven, in every session."""
    return run % 7 in (0, 3)


def request(place: Place, run: int) -> dict[str, Any]:
    """Return what the load asks for: its plan, or the same from a model."""
    if is_for_a_model(run):
        goal = f"run {run} of session {place.number}"
        return {"goal": goal, "planner": "llm", "approval": policy(run)}
    return planned(place, run)


def sizes(run: int) -> Sequence[int]:
    """Return the number of calls of each of a run's turns."""
    return SIZES[run % len(SIZES)]


class State(NamedTuple):
    """How far a conversation has come."""

    session: int
    run: int
    results: int

    @classmethod
    def read(cls, said: str, results: int) -> "State":
        """Return the state from what was said first, and the number of tool results."""
        match = _TASK.search(said)
        assert match is not None, said
        return cls(int(match[2]), int(match[1]), results)

    @property
    def answer(self) -> Answer:
        """What is to be said; a state that no run is in raises."""
        begins = [sum(sizes(self.run)[:n]) for n in range(len(sizes(self.run)) + 1)]
        turn = begins.index(self.results)
        if self.results == begins[-1]:
            return Answer(text=f"run {self.run} is done", **TOKENS)
        steps = plan(Place(self.session), self.run)["steps"][self.results : begins[turn + 1]]
        calls = tuple(Wanted(tool=s["tool"], arguments=s["arguments"]) for s in steps)
        return Answer(text=f"turn {turn} of run {self.run}", calls=calls, **TOKENS)

    def fault(self, time: int) -> Answer | None:
        """Return how the provider fails when it is asked for this so many times; None: it does not."""
        chance = random.Random(f"{SEED} {self} {time}")  # noqa: S311  # to be repeated
        if time > MOST_FAULTS or chance.random() >= FAULTY:
            return None
        cut = self.answer.model_copy(update={"cut": chance.choice(("text", "finish"))})
        breaks = self.answer.model_copy(update={"breaks_with": "no more"})
        return chance.choice((overloaded("1"), broken(), broken(503), cut, breaks))


_asked: Counter[State] = Counter()


def answer(conversation: Conversation) -> Answer:
    """Return an answer of the provider: its program."""
    state = State.read(conversation.said[0], len(conversation.results))
    _asked[state] += 1
    told = state.fault(_asked[state]) or state.answer
    return told.model_copy(update={"delay": random.uniform(0, SLOWNESS)})  # noqa: S311  # no secret


@contextmanager
def provider() -> Iterator[Remote]:
    """Yield the provider, as a process."""
    with in_a_process(f"{__name__}:answer") as fake:
        yield fake


def settings(url: str, **more: str) -> dict[str, str]:
    """Return what an orchestrator has to be told of a provider at an address."""
    return {
        "ORCHESTRATOR_MODEL": "openai:fake",
        "ORCHESTRATOR_MODEL_BASE_URL": url,
        "ORCHESTRATOR_MODEL_API_KEY": "any",
        **more,
    }


def turns(run: int) -> int:
    """Return the number of answers that a run keeps."""
    return len(sizes(run)) + 1


class Asked:
    """How often the provider was asked, by its own account."""

    def __init__(self, counts: dict[str, Any]) -> None:
        self._times: Counter[State] = Counter()
        for said, results, times in counts["asked"]:
            self._times[State.read(said, results)] += times

    def requests(self, run: int | None = None) -> int:
        """Count the requests, all of them or those of one run."""
        return sum(n for state, n in self._times.items() if run in (None, state.run))

    def faults(self, run: int | None = None) -> int:
        """Count the requests that have failed."""
        return sum(
            state.fault(time) is not None
            for state, times in self._times.items()
            if run in (None, state.run)
            for time in range(1, times + 1)
        )
