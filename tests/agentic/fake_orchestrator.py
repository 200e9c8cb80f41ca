"""An orchestrator of canned answers that listens on a port, for commands in processes of their own."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.tools import ToolSpec
from tests.agentic.fake_plans import AWAITS, ENDED, a_call, a_plan
from tests.agentic.fakes import SESSION, a_step, an_event

TOOL = ToolSpec(
    name="read_file", description="Reads.", effect="read", arguments_schema={}, output_schema={}
)
ASKS = (an_event(1, "run.awaiting_input", question="Which?"), an_event(2, "run.succeeded"))
DECIDES = (AWAITS, ENDED)
EVENTS = (an_event(1, "step.succeeded", **a_step()), an_event(2, "run.succeeded"))


class Orchestrator(ThreadingHTTPServer):
    """Opens a session, starts a run and ends it as told; keeps what it was asked.

    An endless one stops after an event, until it is `over`.
    """

    daemon_threads = True

    def __init__(self, run, refusal=None, endless=False, events=EVENTS):
        super().__init__(("127.0.0.1", 0), Handler)
        self.run, self.refusal, self.endless, self.events = run, refusal, endless, events
        self.asked = []
        self.plan = a_plan()
        self.streaming, self.cancelled, self.over = (threading.Event() for _ in range(3))

    def sent(self, part):
        """The bodies that were posted to the routes that end so."""
        return [body for path, _, body in self.asked if path.endswith(part)]

    @property
    def url(self):
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """The routes that the command uses."""

    def do_GET(self):
        """Events, the run, the tools."""
        if "/events" in self.path:
            self._stream()
        elif self.path.endswith("/tools"):
            self._answer(f"[{TOOL.model_dump_json()}]")
        elif self.path.endswith("/plan"):
            self._answer(self.server.plan.model_dump_json())
        elif self.path.endswith(SESSION.id):
            self._answer(SESSION.model_dump_json())
        else:
            self._answer(self.server.run.model_dump_json())

    def do_POST(self):
        """A session, a run, its cancel."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.asked.append((self.path, self.headers, json.loads(body or b"null")))
        if self.path.endswith("/cancel"):
            self.server.cancelled.set()
        if self.path.endswith("/approval"):
            self.server.plan = a_plan(is_waiting=False)
        model = SESSION if self.path.endswith("/sessions") else self.server.run
        self._answer(model.model_dump_json())

    def do_PUT(self):
        """Other arguments of the call that waits."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, self.headers, body))
        call = a_call(1, **body["calls"][0]["arguments"], is_edited=True)
        self.server.plan = a_plan(call, plan_revision=2)
        self._answer(self.server.plan.model_dump_json())

    def _stream(self):
        self.send_response(200)
        self.end_headers()
        for event in self.server.events:
            self.wfile.write(f"data: {event.model_dump_json()}\n\n".encode())
            if self.server.endless:
                self.server.streaming.set()
                self.server.over.wait(30)

    def _answer(self, text):
        refusal = self.server.refusal
        if refusal is not None:
            text = refusal.problem("orchestrator", "req_1").model_dump_json()
        self.send_response(200 if refusal is None else refusal.spec.status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        """Say nothing."""
