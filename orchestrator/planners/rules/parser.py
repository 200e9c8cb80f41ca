"""From words to commands: takes a goal apart, parses each sentence by grammar.lark, builds it."""

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token, Tree, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from common.errors import ClientError
from common.files.globs import InvalidPattern
from orchestrator.planners.rules.changing import Changing
from orchestrator.planners.rules.commands import Command
from orchestrator.planners.rules.forms import CHANGING, nearest
from orchestrator.planners.rules.looking import Looking
from orchestrator.planners.rules.moving import Moving
from orchestrator.planners.rules.phrases import Phrases
from orchestrator.planners.rules.searching import Searching
from orchestrator.planners.rules.sentences import Sentence, Splitter, UnclosedQuote
from orchestrator.planners.rules.targets import NOTHING, Built, Subject, Unclear

MAX_COMMANDS = 1000
"""As many as a run can have steps."""
SHOWN = 40
_VERB = "_DO_"
_LIVE_WILDCARD = re.compile(r"[*?]\S*$")

_PARSER = Lark((files("orchestrator.planners.rules") / "grammar.lark").read_text(), parser="lalr")
_PATTERNS = {terminal.name: terminal.pattern.to_regexp() for terminal in _PARSER.terminals}
_VERBS = {
    name.removeprefix(_VERB): re.compile(pattern)
    for name, pattern in _PATTERNS.items()
    if name.startswith(_VERB)
}
_SPLITTER = Splitter(_PATTERNS["STRING"], [verb.pattern for verb in _VERBS.values()])


@lru_cache(maxsize=128)
def parse(goal: str) -> Sequence[Command]:
    """Return the commands of a goal; raise `goal_not_understood` with the nearest form.

    Runs again for each step of a run: the last ones are remembered (0.4 MB is the most of one).
    """
    try:
        sentences = _SPLITTER.split(goal)
    except UnclosedQuote as error:
        raise _not_understood(goal, str(error)) from error
    if not sentences:
        raise _not_understood(goal, "")
    _require_few(sentences)
    commands: list[Command] = []
    subject = NOTHING
    for sentence in sentences:
        built = _build(sentence, subject)
        commands += built.commands
        subject = built.subject
        _require_few(commands)
    return tuple(commands)


def _require_few(things: Sequence[object]) -> None:
    if len(things) > MAX_COMMANDS:
        detail = f"The goal has more than {MAX_COMMANDS} commands"
        raise _refused(detail, "list, then read README.md")


def _build(sentence: Sentence, subject: Subject) -> Built:
    text = sentence.text
    try:
        tree = _PARSER.parse(text)
        _require_clear_end(sentence, tree)
        built: Any = tree
        for builder in (Phrases(subject), Looking(), Searching(), Changing(), Moving()):
            built = builder.transform(built)
    except UnexpectedInput as error:
        rest = "" if _is_at_end(error) else text[error.pos_in_stream :]
        raise _not_understood(text, rest) from error
    except Unclear as unclear:
        raise _unclear(unclear, text) from unclear
    except VisitError as error:
        raise _reason(error.orig_exc, text) from error
    return cast("Built", built)


def _reason(error: Exception, text: str) -> Exception:
    if isinstance(error, InvalidPattern):
        return ClientError("goal_not_understood", f"A glob is not valid: {error}")
    return _unclear(error, text) if isinstance(error, Unclear) else error


def _unclear(unclear: Unclear, text: str) -> ClientError:
    return _refused(unclear.detail, unclear.form or nearest(text, _verb_of(text)))


def _require_clear_end(sentence: Sentence, tree: Tree[Token]) -> None:
    """Refuse what could end elsewhere: a text without quotes, a wildcard or a question mark."""
    texts = tree.scan_values(lambda leaf: isinstance(leaf, Token) and leaf.type == "TEXT")
    if any(texts) and (sentence.is_trailed or sentence.end not in ("", ".")):
        raise Unclear("Where the text ends is not clear: put it in quotes")
    if sentence.end == "?" and _is_doubtful(sentence):
        raise Unclear(
            "What the question mark means is not clear: leave it out, or put the name in quotes"
        )


def _is_doubtful(sentence: Sentence) -> bool:
    verb = _verb_of(sentence.text)
    if _LIVE_WILDCARD.search(sentence.text):
        return True
    return not sentence.is_question and (verb in CHANGING or verb == "FIND")


def _verb_of(text: str) -> str | None:
    return next((name for name, verb in _VERBS.items() if verb.match(text)), None)


def _is_at_end(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"


def _not_understood(text: str, rest: str) -> ClientError:
    where = f"from {json.dumps(rest[:SHOWN], ensure_ascii=False)} on" if rest else "at its end"
    return _refused(f"The goal is not understood {where}", nearest(text, _verb_of(text)))


def _refused(detail: str, form: str) -> ClientError:
    hint = f"Did you mean a form like: {form}? docs/rules.md shows every form."
    return ClientError("goal_not_understood", detail, hint=hint)
