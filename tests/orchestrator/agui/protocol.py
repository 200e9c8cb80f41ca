"""An AG-UI client, and what the protocol demands of the order of events."""

import asyncio
import json

import httpx
from ag_ui.core import Event, RunErrorEvent, RunFinishedEvent
from pydantic import TypeAdapter

EVENT = TypeAdapter(Event)
LAST = (RunFinishedEvent, RunErrorEvent)
PARTS = {
    "TEXT_MESSAGE_START": "begins",
    "TEXT_MESSAGE_CONTENT": "goes_on",
    "TEXT_MESSAGE_END": "ends",
    "TOOL_CALL_START": "begins",
    "TOOL_CALL_ARGS": "goes_on",
    "TOOL_CALL_END": "ends",
    "TOOL_CALL_RESULT": "answers",
    "STATE_SNAPSHOT": "alone",
    "CUSTOM": "alone",
}
"""What an event does to the message or the call that it is about; no other may come within a run."""
SOON = 60.0


def asked(text="list files", thread="t", run="r", **more):
    """Return the body of a POST that says this last."""
    said = [{"id": "1", "role": "user", "content": text}] if text is not None else []
    return {"threadId": thread, "runId": run, "messages": said, **more}


def planned(*steps, thread="t", run="r", **options):
    """Return the body of a POST for a plan of pairs of a tool and its arguments."""
    made = [{"name": f"s{n}", "tool": t, "arguments": a} for n, (t, a) in enumerate(steps, 1)]
    props = {"agentic": {"plan": {"steps": made}, **options}}
    return asked(None, thread, run, forwardedProps=props)


def resumed(interrupt, payload=None, *, thread="t", run="again", status="resolved"):
    """Return the body of a POST that answers an interrupt."""
    entry = {"interruptId": interrupt.id, "status": status, "payload": payload}
    return asked(None, thread, run, resume=[entry])


async def post(base, body, workspace="demo", key=None):
    """Return the events that a POST is answered with, checked; or the problem."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with asyncio.timeout(SOON), httpx.AsyncClient(timeout=SOON) as http:
        answer = await http.post(f"{base}/agui/{workspace}", json=body, headers=headers)
    if not answer.is_success:
        return answer.json()
    assert answer.headers["content-type"].startswith("text/event-stream")
    return verified(read(answer.text))


def read(text):
    """Return the events of a stream."""
    lines = text.splitlines()
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [EVENT.validate_python(json.loads(event)) for event in events]


class Order:
    """Fails at the first event that the protocol does not allow where it comes."""

    def __init__(self):
        self._open = None
        self._begun, self._answered = set(), set()

    def take(self, event):
        """Go on by one event within a run."""
        getattr(self, f"_{PARTS[event.type.value]}")(event)

    def check_end(self):
        """Fail where something is left open."""
        assert self._open is None

    def _alone(self, _event):
        """It may come anywhere."""

    def _begins(self, event):
        assert self._open is None
        self._open = _subject(event)
        assert self._open not in self._begun
        self._begun.add(self._open)

    def _goes_on(self, event):
        assert _subject(event) == self._open

    def _ends(self, event):
        self._goes_on(event)
        self._open = None

    def _answers(self, event):
        subject = "TOOL_CALL", event.tool_call_id
        assert subject in self._begun - self._answered - {self._open}
        self._answered.add(subject)


def _subject(event):
    """Return what an event is about: a message, or a call."""
    kind = event.type.value.rpartition("_")[0]
    return kind, event.message_id if kind == "TEXT_MESSAGE" else event.tool_call_id


def verified(events):
    """Return the events of a whole stream; fail where their order is not the protocol's."""
    assert [event.type for event in events].index("RUN_STARTED") == 0
    assert [isinstance(event, LAST) for event in events].index(True) == len(events) - 1
    order = Order()
    for event in events[1:-1]:
        order.take(event)
    order.check_end()
    return events


def of(events, kind):
    """Return the events of a kind."""
    return [event for event in events if event.type == kind]


def texts(events):
    """Return the text messages, whole, by their ids."""
    said = {event.message_id: "" for event in of(events, "TEXT_MESSAGE_START")}
    for event in of(events, "TEXT_MESSAGE_CONTENT"):
        said[event.message_id] += event.delta
    return said


def tool_calls(events):
    """Return the calls, in the order of their results: tool, arguments and result."""
    names = {event.tool_call_id: event.tool_call_name for event in of(events, "TOOL_CALL_START")}
    given = {event.tool_call_id: json.loads(event.delta) for event in of(events, "TOOL_CALL_ARGS")}
    return [
        (names[event.tool_call_id], given[event.tool_call_id], json.loads(event.content))
        for event in of(events, "TOOL_CALL_RESULT")
    ]


def interrupt_of(events):
    """Return the one interrupt that a stream ends with."""
    [interrupt] = events[-1].outcome.interrupts
    return interrupt


def statuses(events):
    """Return the statuses that the states tell."""
    return [event.snapshot["status"] for event in of(events, "STATE_SNAPSHOT")]
