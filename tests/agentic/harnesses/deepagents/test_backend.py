"""Both forms of each operation, and its errors."""

import pytest

from agentic import AgenticClient
from agentic.harnesses.deepagents import AgenticBackend
from common.errors import error
from tests.agentic.fakes import SESSION
from tests.agentic.harnesses.fakes import Orchestrator

OPERATIONS = [
    ("ls", ("/a",)),
    ("read", ("/a",)),
    ("grep", ("x",)),
    ("glob", ("*",)),
    ("write", ("/a", "x")),
    ("edit", ("/a", "x", "y")),
    ("delete", ("/a",)),
]


@pytest.fixture
def prepare():
    """Backends at an orchestrator that answers so; they are closed afterwards."""
    made = []

    def make(*answers, **terms):
        orchestrator = Orchestrator(*answers)
        client = AgenticClient("http://127.0.0.1:8000", transport=orchestrator)
        made.append(AgenticBackend(client, **terms))
        return made[-1], orchestrator

    yield make
    for backend in made:
        backend.close()


@pytest.mark.parametrize(("name", "arguments"), OPERATIONS)
async def test_what_a_call_failed_with_is_told_in_the_result(prepare, name, arguments):
    """In both forms alike: nothing is raised into their graph."""
    backend, _ = prepare(error("denied_by_rule", "what happened", hint="do this"))
    told = getattr(backend, name)(*arguments).error
    assert all(word in told for word in ("denied_by_rule", "what happened", "do this"))
    assert (await getattr(backend, f"a{name}")(*arguments)).error == told


@pytest.mark.parametrize(
    ("code", "theirs"),
    [
        ("path_not_found", "file_not_found"),
        ("permission_denied", "permission_denied"),
        ("not_a_file", "is_directory"),
        ("path_not_allowed", "invalid_path"),
    ],
)
async def test_a_file_that_fails_has_their_code(prepare, code, theirs):
    """Their middleware looks for it."""
    backend, _ = prepare(error(code, "what happened"))
    assert backend.download_files(["/a"])[0].error == theirs
    assert (await backend.aupload_files([("/a", b"")]))[0].error == theirs


async def test_a_file_that_fails_otherwise_says_why(prepare):
    """And one that fails leaves the others be."""
    backend, _ = prepare(error("denied_by_rule", "no"), {})
    first, second = await backend.aupload_files([("/a", b""), ("/b", b"")])
    assert "denied_by_rule" in first.error
    assert (second.path, second.error) == ("/b", None)


def test_a_text_that_cannot_be_sent_is_told_in_the_result(prepare):
    """A model may write half of a surrogate pair: JSON has a spelling for it."""
    backend, orchestrator = prepare({})
    told = backend.write("/a", "x\ud800").error
    assert all(word in told for word in ("invalid_arguments", "position 1"))
    assert orchestrator.calls == []


@pytest.mark.parametrize("replace_all", [False, True])
def test_an_edit_replaces_one_or_all(prepare, replace_all):
    """The tool counts, in the same transaction."""
    backend, orchestrator = prepare({"diff": "", "counts": [3]})
    assert backend.edit("/a", "x", "y", replace_all).occurrences == 3
    edit = {"old_text": "x", "new_text": "y", "replace_all": replace_all}
    assert orchestrator.calls == [("edit_file", {"path": "a", "edits": [edit]})]


def test_a_backend_goes_on_in_a_session(prepare):
    """It is known by its id, and only looked up."""
    backend, orchestrator = prepare({"deleted": 1}, session_id=SESSION.id)
    assert backend.session_id == SESSION.id
    assert backend.delete("/a").path == "/a"
    assert orchestrator.sent() == [("GET", "")]
    assert orchestrator.calls == [("delete_path", {"path": "a", "recursive": True})]
