"""How long a request is, in tokens: estimated, and corrected by what the last one has taken."""

import json
from collections.abc import Sequence

from orchestrator.planners.llm.context.told import Told
from orchestrator.planners.llm.context.views import View
from orchestrator.planners.llm.conversation import Answered, Item, Said, ToolCard, ToolOutputs

CHARACTERS_PER_TOKEN = 3.5
"""As a rule; source code and English have a few more, other scripts far fewer."""
MAX_CORRECTION = 4.0
_FRAME = 20
"""Characters that the wire adds to an item."""


class Measure:
    """Tells the tokens of a run's requests; `fixed` is what is the same in all of them."""

    def __init__(self, told: Told, system: str, tools: Sequence[ToolCard]) -> None:
        self._told = told
        self._fixed = len(system) + sum(map(_card, tools))
        self._ratio = 1 / CHARACTERS_PER_TOKEN
        self._ratio *= self._correction()

    def tokens(self, items: Sequence[Item]) -> int:
        """Estimate what a request of these items takes."""
        return int((self._fixed + sum(map(_item, items))) * self._ratio) + 1

    def tokens_of(self, text: str) -> int:
        """Estimate what a text takes, alone."""
        return int(len(text) * self._ratio) + 1

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


def _card(card: ToolCard) -> int:
    return len(card.name) + len(card.description) + len(json.dumps(card.schema)) + _FRAME


def _item(item: Item) -> int:
    match item:
        case Said(text):
            return len(text) + _FRAME
        case Answered(message):
            return len(json.dumps(message, ensure_ascii=False))
        case ToolOutputs(outputs, said):
            return sum(len(it.content) + _FRAME for it in outputs) + sum(map(len, said))
