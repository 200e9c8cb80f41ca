"""What it costs that runs may ask people, beside a run that asks nobody."""

from pathlib import Path

import aiohttp

from agentic import AgenticClient
from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Line, Report
from bench.rounds import Figure, Request, joined, one_by_one
from bench.runs import STEPS, one_run, opened_session, reads
from bench.ways.way import PLACES, prepare
from common.approvals.reviews import Policy
from common.approvals.rules import MAX_RULES, Rule
from common.plans import Plan

EACH = 3
ANSWERS = 30
RULES = [Rule(path=f"secrets-{n}/**/*.pem", effect="deny") for n in range(MAX_RULES)]
"""As many as a user may have; none of them is about what the runs do."""
APPEND = {"name": "s", "tool": "append_file", "arguments": {"path": "log", "content": "line\n"}}
NOBODY, WRITES = f"a run of {STEPS} steps that asks nobody (the floor)", "where changes ask"
RULED = f"under {MAX_RULES} rules"


async def to_effect(client: AgenticClient) -> float:
    """Approve one change; return the milliseconds from the answer to the outcome, by their events."""
    session = await client.create_session()
    plan = Plan.model_validate({"steps": [APPEND]})
    run = await client.start_run(session.id, plan=plan, approval="writes")
    times = {}
    async for event in client.events(session.id, run.id):
        times[event.type] = event.time
        if event.type == "run.awaiting_approval":
            revision = event.data["plan_revision"]
            await client.approve(session.id, run.id, plan_revision=revision)
    return (times["step.succeeded"] - times["approval.received"]).total_seconds() * 1000


async def measure_approvals(directory: Path, options: Options) -> list[Report]:
    """Measure runs that ask and runs that do not, in turn, and then answers."""
    prepare(directory / "execution" / "workspaces" / "local")
    async with (
        running_stack(directory) as stack,
        AgenticClient(stack.url) as client,
        aiohttp.ClientSession(stack.url) as http,
    ):
        found = [await _round(client, http) for _ in range(options.rounds)]
        effects = [await to_effect(client) for _ in range(ANSWERS)]
    floor, *others = (joined(figures) for figures in zip(*found, strict=True))
    lines = [Line(floor), *(Line(figure, floor) for figure in others)]
    lines.append(Line(Figure("from an approval to the outcome of its change", "ms", effects)))
    return [Report("approvals", lines)]


async def _round(client: AgenticClient, http: aiohttp.ClientSession) -> list[Figure]:
    ways = {NOBODY: _running(http, None), WRITES: _running(http, "writes")}
    free = await one_by_one(ways, 1, EACH)
    await client.replace_rules(RULES)
    ruled = await one_by_one({RULED: _running(http, None)}, 1, EACH)
    await client.replace_rules([])
    return [*free.values(), *ruled.values()]


def _running(http: aiohttp.ClientSession, approval: Policy | None) -> Request:
    async def request() -> None:
        session = await opened_session(http, PLACES[0])
        await one_run(http, session, reads(STEPS), approval=approval)

    return request
