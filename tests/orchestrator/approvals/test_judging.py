"""Calls of a turn as they are judged: by rules, by policy, and before all is known of them."""

import time

import pytest

from common.approvals.rules import Rule
from common.ids import new_id
from common.plans import TurnCall
from execution_environment.calls.registry import discover
from orchestrator.approvals.judging import Judge
from orchestrator.approvals.paths import EVERYTHING
from orchestrator.store.records import RuleLayers
from tests.orchestrator.builders import document

TOOLS = {name: tool.spec for name, tool in discover().items()}
SECONDS = 1.0
"""In which a turn of the most calls is judged by the most rules."""


def judge(*rules, approval="writes", access="read_write"):
    """Return the judge of a run; rules are the user's, each as (effect, path)."""
    run = document(new_id("ses"), approval=approval, access=access)
    layers = RuleLayers(user=[Rule(effect=effect, path=path) for effect, path in rules])
    return Judge(run, layers, TOOLS)


def call(tool, n=1):
    """Return a call of a turn."""
    effect = TOOLS[tool].effect if tool in TOOLS else "write"
    return TurnCall(n=n, name=f"s{n}", tool=tool, arguments={}, effect=effect)


def judged(by, tool, *, is_first=False, **arguments):
    """Return the judgement of a call with these arguments."""
    return by.of(call(tool), arguments, is_first=is_first)


def test_call_is_judged_by_what_it_touches():
    """And the judgement says what that is, and by which rule."""
    by = judge(("deny", "secrets"), ("allow", "docs"))
    denied = judged(by, "read_file", path="./secrets//k")
    assert (denied.answer, denied.rule.path) == ("deny", "secrets")
    assert judged(by, "write_file", path="docs/a", content="").answer == "make"
    asking = judged(by, "write_file", path="src/a", content="")
    assert (asking.answer, asking.rule) == ("ask", None)
    assert [touched.parts for touched in asking.touched] == [(b"src", b"a")]
    assert judged(by, "read_file", path="src/a").answer == "make"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("read_file", {"path": "a/../b"}), ("apply_patch", {"patch": "no patch"})],
)
def test_call_that_its_tool_refuses_is_made_to_fail(tool, arguments):
    """Nobody is asked for it: the tool's own error says most."""
    assert judged(judge(("deny", None)), tool, **arguments).answer == "fail"


@pytest.mark.parametrize(
    ("tool", "known", "expected"),
    [
        ("read_file", TOOLS, "read"),
        ("delete_path", TOOLS, "destructive"),
        ("of another service", TOOLS, "write"),
        ("read_file", {}, "write"),
    ],
)
def test_call_that_was_decided_without_tools_has_the_effect_of_its_tool(tool, known, expected):
    """What nobody could tell then is a change until it can be told."""
    decided = call(tool).model_copy(update={"effect": "write"})
    by = Judge(document(new_id("ses"), approval="writes"), RuleLayers(), known)
    assert by.known(decided).effect == expected


@pytest.mark.parametrize("arguments", [{}, {"path": None}, {"path": 7}])
@pytest.mark.parametrize("tool", ["read_file", "of another service"])
def test_call_that_names_nothing_may_be_about_everything(tool, arguments):
    """So may one of a tool that nobody can tell: a rule that denies anything denies it."""
    assert judged(judge(("deny", "secrets")), tool, **arguments).answer == "deny"
    assert judged(judge(), "of another service", **arguments).answer == "ask"


@pytest.mark.parametrize(
    ("by", "read", "change"),
    [
        (judge(approval="never"), "make", "make"),
        (judge(approval="writes"), "make", "later"),
        (judge(approval="writes", access="read_only"), "make", "make"),
        (judge(approval="always"), "later", "later"),
        (judge(approval="always", access="read_only"), "later", "make"),
        (judge(approval="plan"), "make", "later"),
        (judge(("ask", "a/b"), approval="never"), "later", "later"),
        (judge(("deny", "a/b"), approval="never", access="read_only"), "later", "later"),
        (judge(("allow", "a/b"), approval="never"), "make", "make"),
        (judge(("allow", None), approval="always"), "make", "later"),
    ],
)
def test_call_whose_arguments_are_not_known_is_made_where_none_could_be_asked_for(by, read, change):
    """Else it is judged once they are; AGENTS.md may be among them."""
    assert by.of(call("read_file"), None, is_first=False).answer == read
    assert by.of(call("write_file"), None, is_first=False).answer == change


def test_call_of_a_first_turn_that_asks_as_a_whole_waits_for_its_arguments():
    """A person is asked for it, whatever they are."""
    assert judge(approval="plan").of(call("read_file"), None, is_first=True).answer == "later"


def test_call_that_is_made_whatever_it_is_may_touch_everything():
    """What comes after it in the turn depends on it."""
    made = judge(approval="never").of(call("write_file"), None, is_first=False)
    assert made.touched == [EVERYTHING]


@pytest.mark.parametrize(
    ("by", "is_open"),
    [
        (judge(approval="never"), True),
        (judge(approval="writes"), False),
        (judge(approval="writes", access="read_only"), True),
        (judge(approval="plan", access="read_only"), False),
        (judge(approval="always", access="read_only"), False),
        (judge(("allow", "a"), approval="never"), False),
        (judge(("ask", "a"), approval="writes", access="read_only"), False),
    ],
)
def test_judge_is_open_where_nothing_asks_and_no_rule_says_anything(by, is_open):
    """Then no call has to be judged, nor its arguments be known."""
    assert by.is_open == is_open


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("search_files", {"pattern": "x"}),
        ("find_files", {"glob": "*.py"}),
        ("list_directory", {"path": ".", "depth": 2}),
        ("copy_path", {"source": "a", "destination": "b"}),
        ("move_path", {"source": "a", "destination": "b"}),
        ("delete_path", {"path": "a", "recursive": True}),
    ],
)
def test_denial_of_a_tree_says_what_may_be_called_instead(tool, arguments):
    """Nobody has looked whether the file is there: a narrower call may be made."""
    by = judge(("deny", "*.pem"), approval="never")
    problem = judged(by, tool, **arguments).denial("req_1")
    assert (problem.code, problem.context["path"]) == ("denied_by_rule", "*.pem")
    assert "'*.pem'" in problem.detail
    assert "tree" in problem.detail
    assert "narrower" in problem.hint


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_directory", {"path": "."}),
        ("delete_path", {"path": "a"}),
        ("read_files", {"paths": ["a", "b"]}),
    ],
)
def test_what_looks_at_single_entries_is_not_denied_for_what_may_be_below(tool, arguments):
    """There has to be a way left to work."""
    assert judged(judge(("deny", "*.pem"), approval="never"), tool, **arguments).answer == "make"


def test_denial_of_what_is_named_says_to_leave_it_alone():
    """No other way leads there."""
    problem = judged(judge(("deny", "*.pem")), "read_file", path="k.pem").denial("req_1")
    assert problem.detail == "A rule denies every tool on '*.pem'"
    assert "narrower" not in problem.hint


@pytest.mark.parametrize("glob", ["src/other{n}/**/*.py", "*.ext{n}", "src/a/{n}", "**"])
@pytest.mark.parametrize("tool", ["write_file", "move_path"])
def test_turn_of_most_calls_is_judged_by_most_rules_in_a_moment(glob, tool):
    """A worker's other runs wait for the thread."""
    globs = [glob.replace("{n}", str(n)) for n in range(200)]
    layer = [Rule(effect=("ask", "deny")[n % 2], path=path) for n, path in enumerate(globs)]
    run, layers = document(new_id("ses"), approval="writes"), RuleLayers(
        remembered=layer, session=layer, user=layer
    )
    calls = [call(tool, n) for n in range(1, 1001)]
    began = time.process_time()
    by = Judge(run, layers, TOOLS)
    for one in calls:
        a, b = f"lib/a/b{one.n}", f"lib/c/d{one.n}"
        made = by.of(one, {"path": a, "source": a, "destination": b}, is_first=True)
        assert made.answer in ("ask", "deny")
    assert time.process_time() - began < SECONDS
