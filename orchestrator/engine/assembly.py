"""The engine put together."""

from dataclasses import dataclass
from datetime import timedelta

from orchestrator.engine.deciding.decisions import Decider
from orchestrator.engine.deciding.instructions import WorkspaceInstructions
from orchestrator.engine.gate import Gate
from orchestrator.engine.runner import Runner
from orchestrator.engine.steps import StepMaker
from orchestrator.engine.turns import TurnMaker
from orchestrator.engine.worker import Worker
from orchestrator.execution.catalogue import Catalogue
from orchestrator.execution.client import ExecutionClient
from orchestrator.planners.registry import Planners
from orchestrator.store.store import Store


@dataclass(frozen=True)
class WorkBounds:
    """What a deployment grants its worker."""

    call_timeout: timedelta
    """For one tool call."""
    parallel_reads: int
    concurrency: int
    """Runs at the same time."""
    approval_timeout: timedelta | None = None
    """For a person's answer to a turn that waits; None: for ever."""


def make_worker(
    store: Store, client: ExecutionClient, tools: Catalogue, planners: Planners, bounds: WorkBounds
) -> Worker:
    """Return a worker that takes runs from the store once it serves."""
    steps = StepMaker(store.progress, client, bounds.call_timeout)
    gate = Gate(store.rules, tools.tools, client, bounds.call_timeout)
    turns = TurnMaker(gate, steps, bounds.parallel_reads)
    instructions = WorkspaceInstructions(client, bounds.call_timeout)
    decider = Decider(planners, tools.tools, store, instructions)
    runner = Runner(store, decider, turns, bounds.approval_timeout)
    return Worker(store, runner, bounds.concurrency)
