"""A workspace in memory that stands for the execution environment, and runs that wait for an answer in it."""

import hashlib

from common.errors import SystemFault, ToolError
from common.plans import Plan
from common.tools import Receipt, Settlement, ToolResult
from execution_environment.calls.registry import discover
from orchestrator.engine.signals import Signals
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.store.queue.refs import RunRef
from tests.orchestrator.builders import document
from tests.orchestrator.fakes import runner_of

TOOLS = {name: tool.spec for name, tool in discover().items()}


class SomeTools:
    """A catalogue of all tools; none while `is_away`."""

    def __init__(self):
        self.is_away = False

    async def tools(self):
        """Return them."""
        if self.is_away:
            raise SystemFault("unavailable", "The execution environment cannot be reached")
        return TOOLS


class Files:
    """Files by path: what is written, read and deleted; `made` are the calls that were no dry runs."""

    def __init__(self, **contents):
        self.contents = {name.replace("__", "."): text for name, text in contents.items()}
        self.made = []
        self.dry_runs = []
        self.fault = None

    async def run(self, call, traceparent=None):
        """Make a call, or its dry run."""
        if self.fault is not None:
            raise self.fault
        (self.dry_runs if call.dry_run else self.made).append(call)
        output, receipts = getattr(self, f"_{call.tool}")(call.arguments, is_dry=call.dry_run)
        return ToolResult(
            id=call.id, tool=call.tool, output=output, receipts=receipts, duration_ms=1.0
        )

    async def settle(self, call):
        """Say that nothing came of a call."""
        return Settlement(id=call.id, outcome="not_executed")

    def _write_file(self, arguments, *, is_dry):
        path, content = arguments["path"], arguments["content"]
        before = self.contents.get(path)
        if before is not None and arguments.get("mode", "create") == "create":
            raise ToolError("already_exists", f"'{path}' exists", path=path)
        if not is_dry:
            self.contents[path] = content
        diff = f"-{before or ''}\n+{content}\n"
        return {"diff": diff}, [_receipt(path, before, content)]

    def _read_file(self, arguments, *, is_dry):
        return {"content": self._content(arguments["path"])}, []

    def _get_file_info(self, arguments, *, is_dry):
        return {"sha256": _sha256(self._content(arguments["path"]))}, []

    def _delete_path(self, arguments, *, is_dry):
        path = arguments["path"]
        before = self._content(path)
        if not is_dry:
            del self.contents[path]
        return {"deleted": 1}, [_receipt(path, before, None)]

    def _content(self, path):
        if path not in self.contents:
            raise ToolError("path_not_found", f"'{path}' does not exist", path=path)
        return self.contents[path]


def _sha256(text):
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()


def _receipt(path, before, after):
    return Receipt(
        path=path,
        operation="delete" if after is None else "create" if before is None else "replace",
        created=before is None,
        sha256_before=_sha256(before),
        sha256_after=_sha256(after),
        size=None if after is None else len(after),
        mode=None if after is None else "0644",
        bytes_written=len(after or ""),
    )


def write(path, content="new", **more):
    """Return a step of a plan that writes a file."""
    arguments = {"path": path, "content": content, "mode": "upsert"}
    return {"tool": "write_file", "arguments": arguments, **more}


def delete(path, **more):
    """Return a step of a plan that deletes a file."""
    return {"tool": "delete_path", "arguments": {"path": path}, **more}


def read(path, **more):
    """Return a step of a plan that reads a file."""
    return {"tool": "read_file", "arguments": {"path": path}, **more}


def plan(*steps):
    """Return a plan of steps, which are named s1, s2, … unless they say."""
    named = [{"name": f"s{n}", **step} for n, step in enumerate(steps, 1)]
    return Plan.model_validate({"steps": named})


async def waiting(store, files, *steps, session=None, **changed):
    """Start a run of a plan, and let a worker go on with it until it waits, or ends; return its document."""
    session = session or await store.sessions.create("local", None, {}, None)
    asked = {"goal": None, "planner": "plan", "plan": plan(*steps), "approval": "writes"}
    run = document(session.id, **{**asked, **changed})
    await store.runs.create(run, "reject")
    await go_on(store, files, run)
    return run


async def go_on(store, files, run):
    """Let a worker take a run, and go on with it; return the run as it is then."""
    user = (await store.backend.redis.hgetall(store.backend.keys.session(run.session_id)))["user"]
    await store.queue.take(RunRef(user, run.session_id, run.id))
    lease = await store.leases.acquire(run.session_id, run.id, f"worker-{len(files.made)}")
    runner = runner_of(store, files, PlanPlanner(), name="plan", tools=SomeTools().tools)
    await runner.execute(lease, Signals())
    return await store.runs.get(run.session_id, run.id)
