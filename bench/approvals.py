"""What it costs that runs may ask people, beside a step of a run that asks nobody."""

from pathlib import Path

from rich.table import Table

from agentic import AgenticClient
from agentic.local.stack import running_stack
from bench.steps import CONTENT, STEPS, Row, one_run, table
from common.approvals.reviews import Policy
from common.approvals.rules import MAX_RULES, Rule
from common.plans import Plan

RUNS = 10
ANSWERS = 30
RULES = [Rule(path=f"secrets-{n}/**/*.pem", effect="deny") for n in range(MAX_RULES)]
"""As many as a user may have; none of them is about what the runs do."""
APPEND = {"name": "s", "tool": "append_file", "arguments": {"path": "log", "content": "line\n"}}


async def per_step(client: AgenticClient, approval: Policy | None = None) -> list[float]:
    """Return the milliseconds of a step, of some runs."""
    return [(await one_run(client, STEPS, approval))[1] for _ in range(RUNS)]


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


async def measure_approvals(data_dir: Path) -> Table:
    """Run all measurements and return their table."""
    file = data_dir / "execution" / "workspaces" / "local" / "bench" / "file.txt"
    file.parent.mkdir(parents=True)
    file.write_text(CONTENT)
    async with running_stack(data_dir) as stack, AgenticClient(stack.url) as client:
        plain = await per_step(client)
        rows: list[Row] = [
            (f"a step of a run of {STEPS} that asks nobody (the floor)", plain, plain),
            ("the same where changes ask", await per_step(client, "writes"), plain),
        ]
        await client.replace_rules(RULES)
        rows.append((f"the same under {MAX_RULES} rules", await per_step(client), plain))
        await client.replace_rules([])
        effects = [await to_effect(client) for _ in range(ANSWERS)]
        rows.append(("from an approval to the outcome of its change", effects, plain))
    return table(rows, f"{RUNS} runs, {ANSWERS} answers, one after the other")
