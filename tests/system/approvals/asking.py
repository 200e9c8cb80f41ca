"""Runs that ask, and the people who are asked: over HTTP, as clients have it."""

from contextlib import aclosing

import pytest

from common.errors import AgenticError
from common.plans import Plan


def plan_of(*steps, on_error="stop"):
    """Return a plan of pairs of a tool and its arguments; the steps are called `s1`, `s2` and so on."""
    made = [
        {"name": f"s{n}", "tool": tool, "arguments": arguments, "on_error": on_error}
        for n, (tool, arguments) in enumerate(steps, 1)
    ]
    return Plan.model_validate({"steps": made})


def write(path, content, **more):
    """Return a call that writes a file."""
    return "write_file", {"path": path, "content": content, **more}


def append(path, content):
    """Return a call that appends to a file."""
    return "append_file", {"path": path, "content": content}


async def asked(client, run, after=0):
    """Wait until a run asks under a later revision than `after`; return what it shows."""
    await awaited(client, run, "run.awaiting_approval", lambda data: data["plan_revision"] > after)
    return await client.plan(run.session_id, run.id)


async def awaited(client, run, kind, fits=lambda _data: True):
    """Wait for an event of a run; fail when the run ends without it."""
    async with aclosing(client.events(run.session_id, run.id)) as events:
        async for event in events:
            if event.type == kind and fits(event.data):
                return event
    raise AssertionError(f"it has ended without {kind}")


async def asking(client, *steps, session=None, on_error="stop", **wishes):
    """Start a plan of these steps whose changes ask, in a session of its own; return run and plan."""
    session = session or await client.create_session()
    plan = plan_of(*steps, on_error=on_error)
    run = await client.start_run(session.id, **{"plan": plan, "approval": "writes", **wishes})
    return run, await asked(client, run)


async def approve(client, plan, **more):
    """Approve what is shown, or some steps of it."""
    revision = plan.plan_revision
    return await client.approve(plan.session_id, plan.run_id, plan_revision=revision, **more)


async def reject(client, plan, **more):
    """Reject what is shown, or some steps of it."""
    revision = plan.plan_revision
    return await client.reject(plan.session_id, plan.run_id, plan_revision=revision, **more)


async def edit(client, plan, *calls):
    """Replace arguments of a plan; return it as it is then."""
    return await client.replace_plan(plan.session_id, plan.run_id, calls, plan.plan_revision)


async def code_of(asking):
    """Return the code of the error that something asked for is refused with."""
    with pytest.raises(AgenticError) as raised:
        await asking
    return raised.value.code


def outcomes(run):
    """Return how each step of a run came out: `succeeded`, or its error's code."""
    return [step.error.code if step.error else step.status for step in run.steps]


def states(plan):
    """Return the state of each call."""
    return [call.state for call in plan.calls]
