"""Keeps a conversation within what a model can read: outputs go first, then a summary stands for it."""

from bisect import bisect_left
from dataclasses import dataclass, replace

from orchestrator.planners.decisions import Compact
from orchestrator.planners.llm.context.measure import Measure
from orchestrator.planners.llm.context.told import Told
from orchestrator.planners.llm.context.views import View

WORTHWHILE = 0.75
"""Of the limit: without outputs it has to be below that, or only a summary helps for a while."""
SUMMARY_TOKENS = 1500


@dataclass(frozen=True)
class Summarise:
    """A summary is to be written of the turns up to this one."""

    covers: int


def shortening(told: Told, measure: Measure, limit: int) -> Compact | Summarise | None:
    """Return what is to be left out of a conversation that is longer than `limit` tokens.

    The outputs of the oldest turns, in one block down to half of the limit, so that the beginning of
    the requests stays as it is for a while; not those that the model has not seen yet. None: there is
    nothing more to leave out.
    """
    view = View.of(told.history.turns)
    made = [past.turn for past in told.history.turns if past.turn.covers is None]
    with_outputs = [t.t for t in made[:-1] if t.calls and t.t > max(view.covers, view.summarised)]

    def tokens(covers: int) -> int:
        return measure.tokens(told.items(replace(view, covers=covers)))

    if with_outputs and tokens(with_outputs[-1]) <= limit * WORTHWHILE:
        found = bisect_left(with_outputs, -limit // 2, key=lambda covers: -tokens(covers))
        return Compact(with_outputs[min(found, len(with_outputs) - 1)])
    return _summary(told, measure, limit, view, [turn.t for turn in made])


def _summary(
    told: Told, measure: Measure, limit: int, view: View, made: list[int]
) -> Summarise | None:
    """Sum up all but the last turn, or that as well where it is too long itself."""
    left = [t for t in made[-2:] if t > view.summarised]
    for covers in left:
        room = measure.tokens(told.items(View(view.covers, covers, "…"))) + SUMMARY_TOKENS
        if room <= limit // 2 or covers == left[-1]:
            return Summarise(covers)
    return None
