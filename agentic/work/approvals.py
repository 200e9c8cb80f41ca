"""What decides about runs: `approve`, `reject` and `rules`."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from agentic.api.client import AgenticClient
from agentic.terminal.answers import Said, send_answers
from agentic.terminal.output import Output
from agentic.terminal.plans import show_calls
from agentic.terminal.prompt import Prompt
from agentic.terminal.remembering import Rulebook, in_words
from agentic.terminal.show import Display
from agentic.work import inputs
from agentic.work.ending import ExitCode, new_display
from agentic.work.finding import find_run
from agentic.work.listing import print_list
from agentic.work.target import Target
from common.approvals.reviews import PlannedCall, TurnPlan
from common.approvals.rules import Rule
from common.errors import ClientError
from common.runs import Run

QUESTION = "Do it? [y]es, [n]o: "


async def approve(
    target: Target,
    name: str,
    steps: Sequence[int],
    *,
    is_remembered: bool,
    is_sure: bool,
    is_json: bool,
) -> int:
    """Approve what asks of a run's turn; at a terminal it is shown first, and asked about."""
    display, prompt = new_display(), Prompt()
    async with target.client() as client:
        plan = await _plan_of(client, name)
        calls = _chosen(plan, steps)
        if not is_json:
            show_calls(display, calls)
        if prompt.is_terminal and not (is_sure or is_json) and not _is_meant(prompt):
            return ExitCode.CANCELLED
        said = {call.n: Said("approve") for call in calls}
        if is_remembered:
            said = await _remembering(client, Output(stderr=True), calls)
        run = await send_answers(client, plan, said)
    return _told(display, run, "approved", calls, is_json=is_json)


async def reject(
    target: Target, name: str, steps: Sequence[int], *, reason: str | None, is_json: bool
) -> int:
    """Reject what asks of a run's turn."""
    async with target.client() as client:
        plan = await _plan_of(client, name)
        calls = _chosen(plan, steps)
        said = {call.n: Said("reject", reason) for call in calls}
        run = await send_answers(client, plan, said)
    return _told(new_display(), run, "rejected", calls, is_json=is_json)


async def rules(target: Target, source: Path | None, *, is_json: bool) -> int:
    """Print the user's rules; those of a file take their place first."""
    replacing = None if source is None else inputs.rules_of(source)
    async with target.client() as client:
        if replacing is None:
            known = await client.rules()
        else:
            known = await client.replace_rules(replacing.rules, replacing.revision)
    if is_json:
        Output().json(known)
    elif not known.rules:
        new_display().line("there are no rules: what asks is up to each run, and its session")
    else:
        await print_list(_each(known.rules), _columns, limit=None, is_json=False)
    return ExitCode.SUCCEEDED


async def _plan_of(client: AgenticClient, name: str) -> TurnPlan:
    run = await find_run(client, name)
    return await client.plan(run.session_id, run.id)


def _chosen(plan: TurnPlan, steps: Sequence[int]) -> list[PlannedCall]:
    """Return the calls that ask, of these steps if any are given; raise `invalid_state` for none."""
    asking = {call.n: call for call in plan.calls if plan.is_waiting and call.state == "asks"}
    others = [n for n in steps if n not in asking]
    if not asking or others:
        refused = ClientError("invalid_state", _not_waiting(plan, others if asking else ()))
        refused.source = "client"
        raise refused
    return [call for n, call in asking.items() if not steps or n in steps]


def _not_waiting(plan: TurnPlan, steps: Sequence[int]) -> str:
    """Return that steps, or without any nothing at all, wait for an answer."""
    run = f"of run '{plan.run_id}'"
    if not steps:
        return f"Nothing {run} waits for an answer"
    if len(steps) == 1:
        return f"Step {steps[0]} {run} does not wait for an answer"
    return f"Steps {', '.join(map(str, steps))} {run} do not wait for an answer"


def _is_meant(prompt: Prompt) -> bool:
    return (prompt.read(QUESTION) or "").strip().lower() in ("y", "yes")


async def _remembering(
    client: AgenticClient, output: Output, calls: Sequence[PlannedCall]
) -> dict[int, Said]:
    """Return approvals that are remembered where there is a rule for them, which is said."""
    display, rulebook, said = Display(output), Rulebook(client), {}
    for call in calls:
        rule = await rulebook.rule_for(call)
        said[call.n] = Said("approve", remember=rule)
        told = "not remembered: it is in no one place"
        if rule is not None:
            told = f"remembered: {in_words(rule, call)}"
        display.line(f"step {call.n}, {told}", "yellow")
    return said


def _told(
    display: Display, run: Run | None, what: str, calls: Sequence[PlannedCall], *, is_json: bool
) -> int:
    if is_json:
        Output().json(run)
    elif run is not None:
        steps = ", ".join(str(call.n) for call in calls)
        display.line(f"{what} step {steps}; {run.status}: {run.id}")
    return ExitCode.SUCCEEDED


async def _each(rules: Sequence[Rule]) -> AsyncIterator[Rule]:
    for rule in rules:
        yield rule


def _columns(rule: Rule) -> tuple[str, ...]:
    return rule.effect, rule.tool or "(any tool)", rule.path or "(any path)"
