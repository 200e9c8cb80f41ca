"""What a start does not wait for: nothing here is timed, for a machine has other things to do."""

import re
import subprocess
import sys

from tests.system.services import execution_environment, orchestrator

NAMES_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
_IMPORT = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
HEAVY = {
    "agentic": {
        "asyncio", "common", "fastapi", "httpx", "importlib.metadata", "pydantic", "pydantic_core", "ssl",
    },
    "execution_environment": {"aiohttp", "attr", "httpx", "jsonschema", "lark", "redis", "rich.style"},
    "orchestrator": {"lark", "mcp", "orchestrator.planners.rules.parser", "pydantic_ai", "rich.style"},
}  # fmt: skip
"""What each takes long to import, and does not need until it is asked for something. Python names what it
does not find as well: hence a module of rich that only others of rich import."""


def imported(told):
    """Return the modules that Python says it has imported."""
    return set(_IMPORT.findall(told))


def test_help_of_the_command_imports_no_client():
    """Who looks an option up, or completes a line, waits for it."""
    program = [sys.executable, "-X", "importtime", "-c", "from agentic.cli import main; main()"]
    done = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True)
    assert "agentic.commands.app" in imported(done.stderr)
    assert imported(done.stderr) & HEAVY["agentic"] == set()


def test_the_services_start_without_what_few_requests_need(tmp_path):
    """Most of a start is imports: a goal in words, an MCP client or a model brings its own."""
    execution = execution_environment(tmp_path, **NAMES_IMPORTS)
    for service in (execution, orchestrator(tmp_path, execution, **NAMES_IMPORTS)):
        service.start()
        assert service.stop() == 0
        there = imported(service.log.read_text())
        assert f"{service.module}.app" in there
        assert there & HEAVY[service.module] == set()


def test_what_python_makes_of_the_tools_is_kept_for_the_next_start(tmp_path):
    """Under Landlock nothing can be written beside the code: each start compiled them again."""
    bytecode = tmp_path / "bytecode"
    kept = {"PYTHONPYCACHEPREFIX": str(bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    assert execution_environment(tmp_path, **kept).start().stop() == 0
    tools = {path.name.split(".")[0] for path in bytecode.rglob("tools/*.pyc")}
    assert {"read_file", "write_file"} <= tools
