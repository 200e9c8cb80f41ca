"""Splits a goal into sentences of one command each; what stands in quotes is left alone."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_LEAD_IN = (
    r"(?:(?:please|kindly|now|just|also|and|first|firstly|next|then|finally|lastly|afterwards"
    r"|after\s++that|okay|ok|hi|hello|hey|tell\s++me|let\s++me|let['\u2019]?s|thanks|thank\s++you"
    r"|(?:can|could|will|would)\s++you|i\s++(?:want|need)(?:\s++you)?\s++to"
    r"|i(?:\s++would|['\u2019]d)\s++like(?:\s++you)?\s++to)[\s,:]++)"
)
"""What people say before the verb: it changes nothing (and is bounded: each "and" looks ahead)."""
_ASKS = re.compile(r"\b(?:can|could|will|would)\s+you\b", re.IGNORECASE)
_ASKED = re.compile(r"(?:what|which|where)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Sentence:
    """One command in words. `end` is its mark, `and` or `line` (another follows), or nothing.

    `is_trailed` tells that words follow which are no command, such as "Thanks."
    """

    text: str
    end: str
    is_question: bool
    is_trailed: bool = False


class UnclosedQuote(ValueError):
    """A quotation mark without its other half; the message is the rest of the goal."""


class Splitter:
    """Knows where sentences end: full stops, semicolons, "then", and "and" before a verb."""

    def __init__(self, quoted: str, verbs: Sequence[str]) -> None:
        """Take the patterns of quoted text and of the words that a command begins with."""
        begins = rf"(?={_LEAD_IN}{{0,6}}+(?:{'|'.join(verbs)}))"
        self._lead_in = re.compile(f"{_LEAD_IN}{{0,6}}+", re.IGNORECASE)
        # Each run of blanks is looked at once, whatever it is made of: a goal of 20,000 characters
        # takes as long as its length says.
        self._piece = re.compile(
            rf"""
            (?P<quoted>{quoted})
            | (?P<unclosed>["“`]|(?<!\w)['\u2018])
            | (?P<end>(?<=[^\s./])\.(?=\s|$)|(?<=[^\s!?])[!?]++(?=\s|$)|;)
            | (?P<and>(?:,|(?<!\s)\s)\s*+(?:and\s++)?+(?:then|afterwards|after\s++that)(?=[\s,:])
                |,\s*+(?:and\s++)?+{begins}
                |(?<!\s)\s++and\s++{begins})
            | (?P<line>(?<!\s)[^\S\n]*+(?:\n|\A)\s*+(?:(?:[0-9]{{1,3}}[.)]|[-*•])\s++)?+{begins})
            | \s++ | \w++ | .
            """,
            re.IGNORECASE | re.DOTALL | re.VERBOSE,
        )

    def split(self, goal: str) -> list[Sentence]:
        """Return the sentences of a goal; raise UnclosedQuote."""
        sentences: list[Sentence] = []
        for sentence in self._pieces(goal):
            if sentence.text:
                sentences.append(sentence)
            elif sentences:
                sentences[-1] = replace(sentences[-1], is_trailed=True)
        return sentences

    def _pieces(self, goal: str) -> Iterator[Sentence]:
        start, is_question = 0, False
        for piece in self._piece.finditer(goal):
            kind = piece.lastgroup
            if kind == "unclosed":
                raise UnclosedQuote(goal[piece.start() :])
            if kind in ("end", "and", "line"):
                end = piece.group().strip()[:1] if kind == "end" else kind
                said = self._sentence(goal[start : piece.start()], end, is_question)
                yield from said
                # "can you list src and read a.txt?" asks for both
                is_question = end == "and" and any(one.is_question for one in said)
                start = piece.end()
        yield from self._sentence(goal[start:], "", is_question)

    def _sentence(self, words: str, end: str, is_question: bool) -> list[Sentence]:
        """Return the sentence without its lead-in, which may be all; nothing where no word is."""
        if not words.strip():
            return []
        said = f"{words.strip()} "
        begun = self._lead_in.match(said)
        lead_in = begun[0] if begun else ""
        text = said.removeprefix(lead_in).strip()
        asks = is_question or bool(_ASKS.search(lead_in) or _ASKED.match(text))
        return [Sentence(text, end, asks)]
