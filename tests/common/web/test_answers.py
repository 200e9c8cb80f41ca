"""Answers that may be large."""

import json
import threading

from pydantic import BaseModel, field_serializer

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
    answer = await answered(Large(text="ä"), 202, {"Location": "/x"})
    assert threads[0] is not threading.main_thread()
    assert (answer.status_code, json.loads(answer.body)) == (202, {"text": "ä"})
    assert answer.headers["Location"] == "/x"
    assert answer.headers["Content-Type"] == "application/json"
