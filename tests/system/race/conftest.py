"""The swapper, the ground that is fought over, and a summary of what was raced."""

from types import SimpleNamespace

import pytest

from tests.system.race.outside import Outside
from tests.system.race.shapes import USER
from tests.system.race.swapping import compile_swapper
from tests.system.services import execution_environment

SUMMARY = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def swapper_binary(tmp_path_factory):
    """The swapper, compiled once."""
    return compile_swapper(tmp_path_factory.mktemp("swapper"))


@pytest.fixture
def ground(tmp_path):
    """The directory of the user's workspaces, and the outside: beside it and far from it."""
    workspaces = tmp_path / "data" / "workspaces" / USER
    workspaces.mkdir(parents=True)
    outside = tmp_path / "outside"
    return SimpleNamespace(
        top=tmp_path,
        data=tmp_path / "data",
        workspaces=workspaces,
        directory=outside,
        outside=Outside(outside, workspaces / "neighbour"),
    )


@pytest.fixture
def service(tmp_path, ground):
    """An execution environment of its own, ended in any case."""
    service = execution_environment(tmp_path).start()
    yield service
    service.kill()


@pytest.fixture
def report(request):
    """Take lines for the summary, which pytest shows also where it captures output."""
    return request.config.stash.setdefault(SUMMARY, []).append


def pytest_terminal_summary(terminalreporter):
    """Show what was raced: a race with nothing done in it proves nothing."""
    lines = terminalreporter.config.stash.get(SUMMARY, [])
    if lines:
        terminalreporter.section("race: operations done / refused")
        terminalreporter.write_line("\n".join(lines))
