"""The JSON schema that a run's answer has to match: checked itself first, for it comes from a client."""

import json
import re
import subprocess
from threading import BoundedSemaphore

from pydantic import JsonValue

from common.documents import strict_json
from common.errors import ClientError, SystemFault
from common.processes.isolated import isolated
from common.tools import JsonSchema
from orchestrator.planners.llm.answers import judge

MAX_SCHEMA = 20_000
"""Characters as JSON: the model has to read it as well."""
MAX_WAIT = 60.0
"""Seconds for a judge: far more than its CPU, however busy the machine is."""
_FENCED = re.compile(r"```(?:[A-Za-z]*\s*\n|json)?(.*)```", re.DOTALL)
_CHECKS, _ANSWERS = BoundedSemaphore(2), BoundedSemaphore(2)
"""Judges at a time; those of answers, which were paid for, do not stand in line with the others."""
_PATIENCE = {_CHECKS: 1.0, _ANSWERS: MAX_WAIT}
"""Seconds to wait for a place: a thread is held meanwhile."""


class AnswerMismatch(Exception):  # a state of affairs, not an error: the model is asked again
    """The answer is no JSON, or not as the schema wants it; the message says what is wrong."""


class _TooMuch(Exception):
    """The judge has ended without a word."""


def check_schema(schema: JsonSchema) -> None:
    """Raise ClientError `invalid_request` for what is no schema, or takes too much to be judged by.

    Raises SystemFault `overloaded` where too many are being checked. Holds its thread for a while.
    """
    if len(json.dumps(schema, ensure_ascii=False)) > MAX_SCHEMA:
        raise _invalid(f"is longer than {MAX_SCHEMA} characters")
    try:
        faults = _judged(_CHECKS, judge.Question(schema=schema, answer=None))
    except _TooMuch as error:
        raise _invalid(f"refers to itself without an end, or {_limits()}") from error
    if faults:
        raise _invalid(faults[0])


def matching_json(text: str, schema: JsonSchema) -> str:
    """Return the JSON of an answer, compact; it may stand in a fence.

    Raises AnswerMismatch, and SystemFault `overloaded`. Holds its thread for a while.
    """
    answer = json.dumps(_parsed(text), ensure_ascii=False, separators=(",", ":"))
    try:
        faults = _judged(_ANSWERS, judge.Question(schema=schema, answer=answer))
    except _TooMuch as error:
        raise AnswerMismatch(f"To judge it by the schema {_limits()}. Say less.") from error
    if faults:
        raise AnswerMismatch("\n".join(faults))
    return answer


def _invalid(fault: str) -> ClientError:
    return ClientError("invalid_request", f"output_schema {fault}")


def _limits() -> str:
    return f"takes more than {judge.MAX_SECONDS} s or {judge.MAX_MEMORY // 2**20} MiB"


def _judged(places: BoundedSemaphore, question: judge.Question) -> list[str]:
    """Ask a process of its own; raise _TooMuch when it ends without an answer."""
    if not places.acquire(timeout=_PATIENCE[places]):
        raise SystemFault("overloaded", "Too many schemas are being judged at the moment")
    try:
        done = subprocess.run(
            isolated(judge.__name__),
            input=json.dumps(question).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # Ctrl-C is the service's
            timeout=MAX_WAIT,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise _TooMuch from error
    finally:
        places.release()
    faults: list[str] = json.loads(done.stdout)
    return faults


def _parsed(text: str) -> JsonValue:
    """Return what an answer says, as it stands or else within its fences."""
    try:
        return _json(text)
    except AnswerMismatch:
        fenced = _FENCED.search(text)
        if fenced is None:
            raise
    return _json(fenced[1])


def _json(text: str) -> JsonValue:
    try:
        value: JsonValue = strict_json.loads(text.strip().encode(), "The answer")
    except (ClientError, UnicodeError) as error:
        detail = error.detail if isinstance(error, ClientError) else str(error)
        raise AnswerMismatch(detail) from error
    return value
