"""A run whose turn waits for a person, as the orchestrator keeps it."""

import json

import httpx

from common.approvals.reviews import PlannedCall, Preview, TurnPlan
from common.errors import error
from common.tools import Receipt, ToolSpec
from tests.agentic.fakes import RUN_ID, SESSION, Talking, a_run, an_event, problem

DIFF = "--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-old\n+{text}\n"
AWAITS = an_event(2, "run.awaiting_approval", t=1, plan_revision=1, steps=[1])
ENDED = an_event(9, "run.succeeded")
PATH = {"properties": {"path": {"x-touches": "path"}, "content": {}}}
WRITE = ToolSpec(
    name="write_file", description="", effect="write", arguments_schema=PATH, output_schema={}
)


def a_receipt(path, **more):
    """What a change did to a path."""
    facts = {"operation": "replace", "created": False, "sha256_before": "0", "sha256_after": "1"}
    facts |= {"size": 1, "mode": "0644", "bytes_written": 1}
    return Receipt(path=path, **facts | more)


def a_call(n=1, path="src/a.txt", text="new", **more):
    """A call that writes a file, and asks."""
    diff = DIFF.format(path=path, text=text)
    facts = {"name": f"write_{n}", "tool": "write_file", "effect": "write", "state": "asks"}
    facts |= {"arguments": {"path": path, "content": text}}
    facts |= {"preview": Preview(diff=diff, receipts=[a_receipt(path)])}
    return PlannedCall(n=n, **facts | more)


def a_plan(*calls, **more):
    """The plan of the run's turn."""
    facts = {"t": 1, "plan_revision": 1, "is_waiting": True, "calls": list(calls) or [a_call()]}
    return TurnPlan(run_id=RUN_ID, session_id=SESSION.id, **facts | more)


class Waiting(Talking):
    """Its turn waits until each of its calls has an answer; its run ends then.

    What stands in `refusals` is what edits are answered with first; `meanwhile` is done once, before
    the next answer or edit comes in.
    """

    def __init__(self, plan=None, events=(AWAITS, None, ENDED), run=None):
        super().__init__(list(events), run=run or a_run(status="awaiting_approval"))
        self.plan = plan or a_plan()
        self.answers = []
        """The revision and the body of each answer that came."""
        self.edits = []
        self.refusals = []
        self.meanwhile = None

    async def handle_async_request(self, request):
        """Answer the routes of plans and tools; the others as ever."""
        path = request.url.path.rpartition("/")[2]
        if path == "tools":
            return httpx.Response(200, json=[WRITE.model_dump(mode="json")])
        if path == "plan" and request.method == "GET":
            return httpx.Response(200, content=self.plan.model_dump_json())
        if path not in ("plan", "approval"):
            return await super().handle_async_request(request)
        return self._changed(request, path, json.loads(await request.aread()))

    def _changed(self, request, path, body):
        if self.meanwhile is not None:
            self.meanwhile, meanwhile = None, self.meanwhile
            meanwhile(self)
        given = int(request.headers["if-match"].strip('"'))
        if given != self.plan.plan_revision:
            return problem(error("precondition_failed", "The plan is another one"))
        if not self.plan.is_waiting:
            return problem(error("invalid_state", "Nothing waits"))
        return self._answered(given, body) if path == "approval" else self._edited(given, body)

    def _answered(self, given, body):
        if self.refusal is None:
            self.answers.append((given, body))
            self.answer(body)
            return httpx.Response(202, content=a_run(status="queued").model_dump_json())
        return problem(self.refusal)

    def _edited(self, given, body):
        self.edits.append((given, body))
        if self.refusals:
            return problem(self.refusals.pop(0))
        [call] = body["calls"]
        self.replace(a_call(call["n"], *call["arguments"].values(), is_edited=True))
        return httpx.Response(200, content=self.plan.model_dump_json())

    def answer(self, body):
        """Take an answer, as it came in or as somebody else gives it."""
        state = "approved" if body["decision"] == "approve" else "rejected"
        steps = body.get("steps") or [call.n for call in self.plan.calls]
        self.replace(
            *(
                call.model_copy(update={"state": state, "reason": body.get("reason")})
                for call in self.plan.calls
                if call.n in steps
            )
        )

    def replace(self, *calls):
        """Have calls be as these are; where none asks any more the run goes on."""
        by_number = {call.n: call for call in calls}
        now = [by_number.get(call.n, call) for call in self.plan.calls]
        is_waiting = any(call.state == "asks" for call in now)
        facts = {"calls": now, "is_waiting": is_waiting}
        facts["plan_revision"] = self.plan.plan_revision + 1
        self.plan = self.plan.model_copy(update=facts)
        if not is_waiting:
            self.run = a_run()
            self._came.set()
