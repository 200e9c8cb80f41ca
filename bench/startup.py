"""What a start takes: from exec to `/health/ready`, and until `agentic --help` has ended; bytecode is warm.

The orchestrator starts its store with it, and stands on an execution environment that is there.
"""

import asyncio
import secrets
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentic.local.ownership import HOST, free_port
from agentic.local.stack import running_stack
from bench.options import Options
from bench.report import Bar, Line, Report
from bench.rounds import Measure, in_turn, timed
from bench.ways.floor import floor_command
from bench.ways.serving import started, stopped

BARE, EXECUTION, ORCHESTRATOR = "bare FastAPI", "execution environment", "orchestrator"
PYTHON, HELP = "python -c pass", "agentic --help"
COMMAND = "from agentic.cli import main; main()"


async def measure_startup(directory: Path, options: Options) -> list[Report]:
    """Measure starts in turn, each on what the one before has left."""
    async with running_stack(directory / "stack") as stack:
        ways = {
            BARE: _bare(directory),
            EXECUTION: _execution(directory / "execution"),
            ORCHESTRATOR: _orchestrator(directory, stack.execution_url, stack.service_token),
            PYTHON: _ending("-c", "pass"),
            HELP: _ending("-c", COMMAND, "--help"),
        }
        figures = await in_turn(ways, options.rounds)
    bare, python = figures[BARE], figures[PYTHON]
    lines = [
        Line(bare),
        Line(figures[EXECUTION], bare, Bar(600)),
        Line(figures[ORCHESTRATOR], bare, Bar(900)),
        Line(python),
        Line(figures[HELP], python, Bar(250)),
    ]
    return [Report("from exec to ready, or to the end", lines)]


def _bare(directory: Path) -> Measure:
    port = free_port()
    return _starting(floor_command(port, directory), f"http://{HOST}:{port}/", {})


def _execution(data_dir: Path) -> Measure:
    settings = {"DATA_DIR": str(data_dir), "SERVICE_TOKEN": secrets.token_hex(16)}
    return _service("execution_environment", "EXEC_ENV", settings)


def _orchestrator(directory: Path, execution_url: str, token: str) -> Measure:
    settings = {
        "DATA_DIR": str(directory / "orchestrator"),
        "EXECUTION_URL": execution_url,
        "SERVICE_TOKEN": token,
    }
    return _service("orchestrator", "ORCHESTRATOR", settings)


def _service(module: str, prefix: str, settings: Mapping[str, str]) -> Measure:
    port = free_port()
    env = {f"{prefix}_{name}": value for name, value in settings.items()}
    env |= {f"{prefix}_PORT": str(port), f"{prefix}_HOST": HOST}
    return _starting([sys.executable, "-m", module], f"http://{HOST}:{port}/health/ready", env)


def _starting(command: Sequence[str], url: str, env: Mapping[str, str]) -> Measure:
    async def measure() -> float:
        process, seconds = await started(command, url, env=env)
        await stopped(process)
        return seconds * 1000

    return measure


def _ending(*arguments: str) -> Measure:
    async def end() -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=DEVNULL, stderr=DEVNULL
        )
        assert await process.wait() == 0

    return lambda: timed(end)
