"""Makes calls that are begun side by side, reads in one request, and stores what comes of them as it comes."""

import asyncio
from collections.abc import Sequence

from orchestrator.engine.state import RunState
from orchestrator.engine.steps import Prepared, StepMaker
from orchestrator.execution.batching import Batching


async def make_together(steps: StepMaker, run: RunState, prepared: Sequence[Prepared]) -> None:
    """Make calls; what came of the last ones is left for the next write.

    One that fails leaves no other behind: what it raises comes when all others have an outcome.
    """
    if len(prepared) == 1:
        await steps.make(run, prepared[0], steps.executor)
        return
    only_read = all(one.call.effect == "read" for one in prepared)
    executor = Batching(steps.executor) if only_read else steps.executor
    under_way = {asyncio.create_task(steps.make(run, one, executor)) for one in prepared}
    failures: list[BaseException] = []
    try:
        while under_way:
            made, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            failures += [failure for task in made if (failure := task.exception()) is not None]
            if under_way or failures:  # what ends meanwhile is stored with the next
                await steps.save(run)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    if failures:
        raise failures[0]
