"""An orchestrator that makes the calls of one-step runs by what a test gives, and notes all requests."""

import json

import httpx

from common.plans import Plan
from common.tools import ToolResult
from tests.agentic.fakes import RUN_ID, SESSION, a_run, a_step, problem

NO_RULES = '{"rules": [], "revision": 0}'


def a_called_run(output=None, error=None, **more):
    """A run of one call that has ended: with its output, or the error of its step."""
    status = "succeeded" if error is None else "failed"
    told = None if error is None else error.problem("execution_environment", "req_1")
    step = a_step(name="call", output=output, error=told, status=status)
    return a_run(**{"status": status, "steps": [step], "plan": None, **more})


class Orchestrator(httpx.AsyncBaseTransport):
    """Answers each run in turn, the last answer for ever: an output, an error, a run, a refusal."""

    def __init__(self, *answers, content=b""):
        self._answers = list(answers) or [{}]
        self._content = content
        self.requests = []
        self.streams = []
        """What the event streams bring, one after the other."""
        self.later = None
        """What a run is when it is asked for again."""

    @property
    def calls(self):
        """The tools and arguments of the runs, in order."""
        bodies = [json.loads(one.content) for one in self.posted("/runs")]
        steps = [Plan.model_validate(body["plan"]).steps[0] for body in bodies]
        return [(step.tool, step.arguments) for step in steps]

    def posted(self, end):
        """The requests that were posted to what ends so."""
        return [one for one in self.requests if one.method == "POST" and one.url.path.endswith(end)]

    def sent(self):
        """What was asked for, but for the runs: method and path below the session."""
        below = [(one.method, one.url.path.partition(SESSION.id)[2]) for one in self.requests]
        return [one for one in below if not one[1].endswith("/runs")]

    async def handle_async_request(self, request):
        """Answer each route."""
        await request.aread()
        self.requests.append(request)
        path = request.url.path
        if path.endswith("/runs"):
            return self._started()
        if path.endswith("/events"):
            return httpx.Response(200, content=self.streams.pop(0))
        if "/files/" in path:
            return self._file(request)
        if path.endswith("/rules"):
            return httpx.Response(200, content=NO_RULES)
        model = self.later if RUN_ID in path else SESSION
        return httpx.Response(200, content=model.model_dump_json())

    def _started(self):
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        if isinstance(answer, dict):
            answer = a_called_run(answer)
        elif isinstance(answer, Exception):
            answer = a_called_run(error=answer)
        return httpx.Response(200, content=answer.model_dump_json())

    def _file(self, request):
        if request.method == "PUT":
            done = ToolResult(id="file", tool="put", output={}, receipts=[], duration_ms=1.0)
            return httpx.Response(201, content=done.model_dump_json())
        headers = {"etag": '"1"', "content-type": "application/octet-stream"}
        return httpx.Response(200, content=self._content, headers=headers)


def refused(error):
    """The answer to a run that is not started."""
    return problem(error)


class Calls:
    """Calls by themselves: gives the answers in turn, and notes the calls."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.made = []

    async def make(self, tool, **arguments):
        """Answer with an output, or raise an error."""
        self.made.append((tool, arguments))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer
