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
IMPORT = "from orchestrator.planners.echo import EchoPlanner\n"


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
    assert text.count("PlanPlanner(), ") == 1
    text = text.replace("PlanPlanner(), ", "EchoPlanner(), PlanPlanner(), ")
    registry.write_text(
        text.replace(
            "from orchestrator.planners.plan", f"{IMPORT}from orchestrator.planners.plan", 1
        )
    )
    return copy


async def test_a_new_tool_and_a_new_planner_take_one_file_each(tree, tmp_path):
    """Nothing else has to know of them: they are listed, planned with and performed."""
    execution = execution_environment(tmp_path)
    main = orchestrator(tmp_path, execution)
    execution.tree = main.tree = tree
    execution.start()
    main.start()
    workspace = tmp_path / "data/workspaces/local/demo"
    workspace.mkdir(parents=True)
    (workspace / "f").write_text("1\n2\n3")
    async with AgenticClient(main.url) as client:
        session = await client.create_session("demo")
        step = PlanStep(name="count", tool="count_lines", arguments={"path": "f"})
        counting = await client.start_run(session.id, plan=Plan(steps=[step]))
        echoing = await client.start_run(session.id, goal="say this", planner="echo")
        counted, echoed = [await ended(client, run) for run in (counting, echoing)]
    main.stop()
    execution.stop()
    assert counted.steps[0].output == {"lines": 3}
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
