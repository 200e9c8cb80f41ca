"""How much of a run its model is shown: all of it, less by compactions that turns have stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from orchestrator.planners.protocol import PastTurn


@dataclass(frozen=True)
class View:
    """What is left out of the turns; the numbers are turns'."""

    covers: int = 0
    """The tool outputs up to this turn are left out."""
    summarised: int = 0
    """A summary stands for everything up to this turn."""
    summary: str = ""

    @classmethod
    def of(cls, turns: Sequence[PastTurn]) -> Self:
        """Return what the compactions among the turns come to."""
        covers, summarised, summary = 0, 0, ""
        for turn in (past.turn for past in turns):
            if turn.covers is not None and turn.summary is not None:
                summarised, summary = turn.covers, turn.summary
            elif turn.covers is not None:
                covers = max(covers, turn.covers)
        return cls(covers, summarised, summary)
