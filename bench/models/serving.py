"""`python -m bench.models.serving`: the orchestrator with a model of the bench, timed from within.

BENCH_MODEL_URL is where the fake provider answers; without it, the model is a function of this process.
At the end BENCH_SPANS is a file with each run's seconds by name, as JSON.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from pydantic_ai.models.function import FunctionModel

from bench.models.answering import in_process
from bench.models.spans import Stopwatch
from orchestrator import app
from orchestrator.engine.assembly import WorkBounds, make_worker
from orchestrator.parts import Parts, open_parts
from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.model import ProviderModel
from orchestrator.planners.llm.providers.warming import open_warm
from orchestrator.planners.registry import Planners, planners_of
from orchestrator.settings import Settings
from orchestrator.supervisor import Supervisor


@asynccontextmanager
async def open_timed_parts(settings: Settings, supervisor: Supervisor) -> AsyncIterator[Parts]:
    """Open the parts as the orchestrator does; give its worker timed ones, and the bench's model."""
    watch = Stopwatch()
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_parts(settings, supervisor))
        planners = await _planners(watch, stack)
        bounds = WorkBounds(settings.call_timeout, settings.parallel_reads, settings.concurrency)
        store, client = watch.store(parts.store), watch.client(parts.upstream.calls)
        worker = make_worker(store, client, parts.catalogue, planners, bounds)
        yield replace(parts, planners=planners, worker=worker)
    await asyncio.to_thread(Path(os.environ["BENCH_SPANS"]).write_text, json.dumps(watch.runs))


async def _planners(watch: Stopwatch, stack: AsyncExitStack) -> Planners:
    url = os.environ.get("BENCH_MODEL_URL")
    if url is None:
        config = ModelConfig("function:bench")
        function = FunctionModel(stream_function=in_process)
        model = ProviderModel(config.model, function, config)
    else:
        config = ModelConfig("openai:fake", base_url=url)
        model = await asyncio.to_thread(open_warm, config.model, config)
    stack.push_async_callback(model.close)
    planners = planners_of(config, [watch.model(model)])
    return {name: watch.planner(planner) for name, planner in planners.items()}


if __name__ == "__main__":
    app.main(open_timed_parts)
