"""The client's page, against the client."""

import inspect
from pathlib import Path

from agentic import AgenticClient
from agentic.api.approvals import Approvals
from agentic.api.archives import Archives
from agentic.api.files import Files
from agentic.api.workspaces import Workspaces

PAGE = Path(__file__).parents[3] / "docs" / "client.md"
CLASSES = [
    ("", AgenticClient),
    ("", Approvals),
    ("files.", Files),
    ("archives.", Archives),
    ("workspaces.", Workspaces),
]


def row(prefix, name, method):
    """The line of a method: its parameters, and what its docstring says first."""
    parameters = ", ".join(list(inspect.signature(method).parameters)[1:])
    return f"| `{prefix}{name}({parameters})` | {inspect.getdoc(method).splitlines()[0]} |"


def test_the_clients_page_has_a_line_for_each_method():
    """What is not there is not found; what is no longer true misleads."""
    rows = [
        row(prefix, name, method)
        for prefix, cls in CLASSES
        for name, method in vars(cls).items()
        if not name.startswith("_")
    ]
    assert len(rows) > 33
    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] == rows
