"""Answers that may be large."""

import json
import threading

from pydantic import BaseModel, field_serializer

from common.off_loop import SMALL
from common.web.answers import answered


class Large(BaseModel):
    """Notes in which thread it is written out."""

    text: str

    @field_serializer("text")
    def _noted(self, text: str) -> str:
        threads.append(threading.current_thread())
        return text


threads: list[threading.Thread] = []


async def test_answer_is_written_out_off_the_event_loop():
    """A run may have 16 MiB of outputs, and everybody else would wait for it."""
    answer = await answered(Large(text="ä" * SMALL), 202, {"Location": "/x"})
    assert threads.pop() is not threading.main_thread()
    assert (answer.status_code, json.loads(answer.body)) == (202, {"text": "ä" * SMALL})
    assert answer.headers["Location"] == "/x"
    assert answer.headers["Content-Type"] == "application/json"


async def test_small_answer_is_written_out_at_once():
    """A thread would take longer than the answer."""
    answer = await answered(Large(text="ä"))
    assert threads.pop() is threading.main_thread()
    assert (answer.status_code, json.loads(answer.body)) == (200, {"text": "ä"})
