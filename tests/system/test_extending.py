"""A tool and a planner are added as docs/architecture.md says, to a copy of the tree, and used."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentic import AgenticClient
from common.plans import Plan, PlanStep
from tests.system.services import execution_environment, orchestrator

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("agentic", "common", "execution_environment", "orchestrator")
EXAMPLE = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
REGISTERED = {
    "from orchestrator.planners.llm.config": "from orchestrator.planners.echo import EchoPlanner\n",
    "        PlanPlanner(),\n": "        EchoPlanner(),\n",
}
"""What the registry gets, before what."""


def examples() -> dict[str, str]:
    """Return the files that the page shows, by their paths."""
    return dict(EXAMPLE.findall((ROOT / "docs/architecture.md").read_text()))


@pytest.fixture
def tree(tmp_path):
    """A copy of the packages with the page's files, and the planner in the registry."""
    copy = tmp_path / "tree"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".ruff.toml"):
        shutil.copy2(ROOT / name, copy)
    for path, text in examples().items():
        assert not (copy / path).exists()
        (copy / path).write_text(text)
    registry = copy / "orchestrator/planners/registry.py"
    text = registry.read_text()
    for before, added in REGISTERED.items():
        assert text.count(before) == 1
        text = text.replace(before, added + before)
    registry.write_text(text)
    return copy


@pytest.fixture
def main(tree, tmp_path):
    """Both services from that tree; return the orchestrator."""
    execution = execution_environment(tmp_path)
    main = orchestrator(tmp_path, execution)
    execution.tree = main.tree = tree
    execution.start()
    try:
        main.start()
        yield main
        main.stop()
    finally:
        execution.stop()


async def test_a_new_tool_and_a_new_planner_take_one_file_each(main, tmp_path):
    """Nothing else has to know of them: they are listed, planned with and performed."""
    async with AgenticClient(main.url) as client:
        session = await client.create_session("demo")
        making = PlanStep(
            name="make", tool="write_file", arguments={"path": "f", "content": "1\n2"}
        )
        counting = PlanStep(name="count", tool="count_lines", arguments={"path": "f"})
        counted = await client.start_run(session.id, plan=Plan(steps=[making, counting]))
        counted = await ended(client, counted)
        echoed = await client.start_run(session.id, goal="say this", planner="echo")
        echoed = await ended(client, echoed)
    assert counted.steps[1].output == {"lines": 2}
    assert echoed.result.answer == "say this"


async def ended(client, run):
    """Return a run once it has ended."""
    async for _ in client.events(run.session_id, run.id):
        pass
    return await client.run(run.session_id, run.id)


def test_the_examples_of_the_page_keep_the_rules_of_the_house(tree):
    """What newcomers copy from has to pass `make lint`."""
    commands = (
        ["ruff", "check", "--no-cache", *examples(), "orchestrator/planners/registry.py"],
        ["black", "--check", "-q", *examples()],
        ["lint-imports", "--no-cache"],
    )
    for command in commands:
        tool = Path(sys.executable).parent / command[0]
        done = subprocess.run(
            [tool, *command[1:]], cwd=tree, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
