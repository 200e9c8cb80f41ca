"""How long a request is in tokens: estimated, and corrected by what the last one has taken."""

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.planners.llm.context.told import Told
from orchestrator.planners.llm.context.views import View
from orchestrator.planners.llm.conversation import Item, ModelRequest
from orchestrator.planners.llm.sizes import size_of

CHARACTERS_PER_TOKEN = 3.5
"""As a rule; source code and English have a few more, other scripts far fewer."""
MAX_CORRECTION = 4.0


class Measure:
    """Tells the tokens of a run's requests, of which `frame` is what is the same in all of them."""

    def __init__(self, told: Told, frame: ModelRequest) -> None:
        self._told = told
        self._frame = size_of(replace(frame, items=()))
        self._ratio = 1 / CHARACTERS_PER_TOKEN
        self._ratio *= self._correction()

    def tokens(self, items: Sequence[Item]) -> int:
        """Estimate what a request of these items takes."""
        alone = ModelRequest("", items, (), 0)
        return int((self._frame + size_of(alone)) * self._ratio) + 1

    def tokens_of(self, request: ModelRequest) -> int:
        """Estimate what any request takes."""
        return int(size_of(request) * self._ratio) + 1

    def characters(self, tokens: int) -> int:
        """Return how many characters so many tokens are."""
        return int(tokens / self._ratio)

    def _correction(self) -> float:
        """Return what the last request took, as a multiple of what would have been estimated."""
        turns = self._told.history.turns
        for index in range(len(turns) - 1, -1, -1):
            turn = turns[index].turn
            if turn.covers is None and turn.usage is not None and turn.usage.input_tokens:
                items = self._told.before(index).items(View.of(turns[:index]))
                took = turn.usage.input_tokens / self.tokens(items)
                return min(MAX_CORRECTION, max(1 / MAX_CORRECTION, took))
        return 1.0
