"""What "all like this" stands for."""

import pytest

from agentic.terminal.remembering import in_words, rule_for
from common.approvals.reviews import Preview, Remember
from tests.agentic.fake_plans import WRITE, a_call, a_receipt

MOVE = WRITE.model_copy(
    update={
        "arguments_schema": {
            "properties": {name: {"x-touches": "tree"} for name in ("source", "destination")}
        }
    }
)
PATCH = WRITE.model_copy(
    update={"arguments_schema": {"properties": {"patch": {"x-touches": "patch"}}}}
)
SEARCH = WRITE.model_copy(
    update={"arguments_schema": {"properties": {"path": {"x-touches": "tree", "default": "."}}}}
)


def rule(spec, arguments, receipts=(), **more):
    """The path of a call's rule, None for any; raises where there is no rule."""
    preview = Preview(receipts=[a_receipt(path) for path in receipts])
    remember = rule_for(a_call(arguments=arguments, preview=preview, **more), spec)
    return None if remember is None else (remember.path or "anything")


@pytest.mark.parametrize(
    ("path", "glob"),
    [
        ("src/a.txt", "src/**"),
        ("./src//b/c.txt", "src/**"),
        ("README.md", "README.md/**"),
        ("*[a]?/x", "[*][[]a][?]/**"),
        ("\\x73rc/a", "src/**"),
    ],
)
def test_a_path_stands_for_its_top_directory_or_for_itself(path, glob):
    """However it is spelt; what would be wild in a glob means itself."""
    assert rule(WRITE, {"path": path}) == glob


def test_a_rule_holds_all_that_a_call_touches():
    """Both ends of a move, and each file of a patch; else there is none."""
    assert rule(MOVE, {"source": "src/a", "destination": "src/b"}) == "src/**"
    assert rule(MOVE, {"source": "src/a", "destination": "docs/a"}) is None
    assert rule(PATCH, {"patch": "…"}, ["src/a", "src/b"]) == "src/**"
    assert rule(PATCH, {"patch": "…"}, ["src/a", "b"]) is None
    assert rule(PATCH, {"patch": "…"}) is None


def test_nothing_of_the_whole_workspace_is_remembered_but_reads():
    """A slip of one key must not allow every change there is."""
    assert rule(SEARCH, {}, effect="read") == "anything"
    assert rule(SEARCH, {}) is None


@pytest.mark.parametrize("path", ["../x", "/etc", "", "a\0b"])
def test_what_is_no_path_has_no_rule(path):
    """Such a call is refused by its tool as well."""
    assert rule(WRITE, {"path": path}) is None


def test_a_tool_that_nobody_knows_has_no_rule():
    """What it touches is not known either."""
    assert rule_for(a_call(), None) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("src/a.txt", "write_file on 'src/**'"),
        ("a.txt", "write_file on 'a.txt'"),
        ("*.txt", "write_file on '[*].txt'"),
    ],
)
def test_a_rule_is_said_with_all_that_it_allows(path, words):
    """Before it is remembered; in a file there is nothing else."""
    call = a_call(path=path)
    assert in_words(rule_for(call, WRITE), call) == words


@pytest.mark.parametrize(
    "receipts",
    [
        [],
        [a_receipt("src", operation="create", sha256_before=None, sha256_after=None)],
        [a_receipt("src", operation="delete", sha256_before=None, sha256_after=None)],
        [a_receipt("src"), a_receipt("src/a")],
    ],
)
def test_a_rule_of_a_top_directory_is_said_with_what_is_in_it(receipts):
    """Or where nobody knows what is there."""
    call = a_call(arguments={"path": "src"}, preview=Preview(receipts=receipts))
    assert in_words(rule_for(call, WRITE), call) == "write_file on 'src/**'"


def test_a_rule_for_all_of_the_workspace_is_said_so():
    """A search of everything."""
    assert in_words(Remember(tool="search_files"), a_call()) == "search_files on anything"
