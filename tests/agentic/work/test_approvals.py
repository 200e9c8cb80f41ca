"""Deciding about runs by command: what is shown, sent and told."""

import io
import json
import re
from contextlib import asynccontextmanager

import httpx
import pytest
import typer

from agentic import AgenticClient
from agentic.work import approvals, inputs, watching
from agentic.work.ending import ExitCode
from common.approvals.reviews import Preview
from common.approvals.rules import Rule, Rules
from common.errors import ClientError, error
from tests.agentic.fake_plans import Waiting, a_call, a_plan, a_receipt
from tests.agentic.fakes import RUN_ID, SESSION, a_run, a_step, problem

NAME = f"{SESSION.id}/{RUN_ID}"
TWO = [a_call(1), a_call(2, "docs/b.txt")]


class Target:
    """Where requests go."""

    def __init__(self, orchestrator):
        self.orchestrator = orchestrator

    @asynccontextmanager
    async def client(self):
        """Yield a client of it."""
        async with AgenticClient("http://h", transport=self.orchestrator) as client:
            yield client


def approve(orchestrator, *steps, **more):
    """The work of `agentic approve`."""
    facts = {"is_remembered": False, "is_sure": False, "is_json": False} | more
    return approvals.approve(Target(orchestrator), NAME, steps, **facts)


def reject(orchestrator, *steps, reason=None, is_json=False):
    """The work of `agentic reject`."""
    return approvals.reject(Target(orchestrator), NAME, steps, reason=reason, is_json=is_json)


@pytest.fixture
def typing(monkeypatch):
    """Have a person at a terminal type a line."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def type_(line):
        monkeypatch.setattr("sys.stdin", Terminal())
        monkeypatch.setattr("sys.stdout", Terminal())
        monkeypatch.setattr("builtins.input", lambda _label: line)

    return type_


async def test_what_asks_is_approved_as_it_is_shown(capsys):
    """All of it, in one answer."""
    orchestrator = Waiting(a_plan(*TWO, a_call(3, state="free")))
    assert await approve(orchestrator) == ExitCode.SUCCEEDED
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [1, 2]})]
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"approved step 1, 2; queued: {RUN_ID}"
    assert "+++ b/docs/b.txt" in lines


async def test_a_step_alone_is_approved_and_alone_shown(capsys):
    """The others wait on."""
    orchestrator = Waiting(a_plan(*TWO))
    await approve(orchestrator, 2)
    assert orchestrator.answers == [(1, {"decision": "approve", "steps": [2]})]
    assert "src/a.txt" not in capsys.readouterr().out


@pytest.mark.parametrize(("steps", "plan", "told"), [
    ((), a_plan(is_waiting=False), "Nothing of run '.*' waits for an answer"),
    ((1,), a_plan(is_waiting=False), "Nothing of run"),
    ((), a_plan(a_call(state="denied")), "Nothing of run"),
    ((1, 7, 8), a_plan(*TWO), "Steps 7, 8 of run '.*' do not wait for an answer"),
    ((2,), a_plan(a_call(1), a_call(2, state="approved")), "Step 2 of run '.*' does not wait for an answer"),
])  # fmt: skip
async def test_what_does_not_wait_is_not_answered(steps, plan, told):
    """A step's number that is mistyped answers nothing else, either."""
    orchestrator = Waiting(plan)
    for work in (approve(orchestrator, *steps), reject(orchestrator, *steps)):
        with pytest.raises(ClientError, match=f"invalid_state: {told}"):
            await work
    assert orchestrator.answers == []


@pytest.mark.parametrize(
    ("line", "more", "code", "count"),
    [
        ("y", {}, ExitCode.SUCCEEDED, 1),
        ("", {}, ExitCode.CANCELLED, 0),
        ("no", {}, ExitCode.CANCELLED, 0),
        ("no", {"is_sure": True}, ExitCode.SUCCEEDED, 1),
    ],
)
async def test_at_a_terminal_it_asks_once_more(typing, line, more, code, count):
    """Unless that is not wanted: anything but yes is no."""
    typing(line)
    orchestrator = Waiting()
    assert await approve(orchestrator, **more) == code
    assert len(orchestrator.answers) == count


async def test_what_is_remembered_is_said_before_it_is_sent(capsys):
    """A rule for each place; none for what is in several."""
    receipts = [a_receipt("x/a"), a_receipt("y/b")]
    several = a_call(3, "x/a", preview=Preview(receipts=receipts))
    orchestrator = Waiting(a_plan(*TWO, several))
    await approve(orchestrator, is_remembered=True)
    remembered = [body.get("remember", {}).get("path") for _, body in orchestrator.answers]
    assert remembered == [None, "src/**", "docs/**"]
    assert capsys.readouterr().err.splitlines() == [
        "step 1, remembered: write_file on 'src/**'",
        "step 2, remembered: write_file on 'docs/**'",
        "step 3, not remembered: it is in no one place",
    ]


async def test_what_is_rejected_is_told_with_its_reason(capsys):
    """For the model, or whoever reads the run."""
    orchestrator = Waiting(a_plan(*TWO))
    assert await reject(orchestrator, 2, reason="Not there.") == ExitCode.SUCCEEDED
    body = {"decision": "reject", "steps": [2], "reason": "Not there."}
    assert orchestrator.answers == [(1, body)]
    assert capsys.readouterr().out == f"rejected step 2; queued: {RUN_ID}\n"


async def test_a_decision_for_scripts_is_the_run_and_nothing_else(capsys):
    """One document."""
    for work in (approve, reject):
        await work(Waiting(), is_json=True)
        assert json.loads(capsys.readouterr().out)["id"] == RUN_ID


async def test_an_answer_that_somebody_else_was_faster_with_is_refused():
    """What was shown is not what would be done."""
    orchestrator = Waiting()
    orchestrator.meanwhile = lambda it: it.replace(a_call(text="theirs"))
    with pytest.raises(ClientError, match="precondition_failed"):
        await approve(orchestrator)
    assert orchestrator.answers == []


async def test_a_run_that_waits_is_shown_with_its_plan(capsys):
    """Who comes to it later sees what it is about, and how to answer."""
    waiting = Waiting(a_plan(*TWO))
    assert await watching.show(Target(waiting), NAME, is_json=False) == ExitCode.SUCCEEDED
    told = capsys.readouterr().out
    assert f"answer it with: agentic approve {NAME}, or agentic reject {NAME}" in told
    assert "+++ b/docs/b.txt" in told


async def test_a_step_that_is_asked_about_again_is_not_shown_as_made(capsys):
    """A file has changed since it was approved: it is nothing but what waits."""
    run = a_run(status="awaiting_approval", steps=[a_step(), a_step(n=2, status="pending")])
    waiting = Waiting(a_plan(a_call(1, state="made"), TWO[1]), run=run)
    await watching.show(Target(waiting), NAME, is_json=False)
    told = capsys.readouterr().out
    assert "pending" not in told
    assert "awaiting_approval: 1 steps" in told
    assert told.count("  2  ") == 1


async def test_a_run_off_a_terminal_is_left_waiting_with_its_plan(capsys):
    """Exit code 4: scripts branch on it."""
    code = await watching.follow(Target(Waiting()), NAME, is_json=False)
    told = capsys.readouterr().out
    assert code == ExitCode.AWAITING_PERSON
    assert told.index("+++ b/src/a.txt") < told.index("awaiting_approval: ")


async def test_runs_that_wait_for_a_person_are_listed_alone(target, capsys):
    """Whatever they wait for."""
    statuses = ["running", "awaiting_approval", "succeeded", "awaiting_input", "failed"]
    routes = {f"GET /v1/sessions/{SESSION.id}/runs": [a_run(status=one) for one in statuses]}
    ours = target(routes=routes)
    await watching.runs(ours, SESSION.id, None, is_waiting=True, limit=20, is_json=False)
    listed = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert listed == ["awaiting_approval", "awaiting_input"]


DENY = Rule(path="*.pem", effect="deny")
ALLOW = Rule(tool="write_file", path="docs/**", effect="allow")


async def test_rules_are_printed_in_their_order(target, capsys):
    """It decides which of them counts."""
    ours = target(routes={"GET /v1/rules": Rules(rules=[ALLOW, DENY], revision=3)})
    await approvals.rules(ours, None, is_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "allow  write_file  docs/**",
        "deny   (any tool)  *.pem",
    ]
    await approvals.rules(ours, None, is_json=True)
    assert Rules.model_validate_json(capsys.readouterr().out).revision == 3


async def test_where_there_are_no_rules_it_is_said(target, capsys):
    """An empty page looks like a fault; for scripts it is a document as ever."""
    ours = target(routes={"GET /v1/rules": Rules()})
    await approvals.rules(ours, None, is_json=False)
    assert capsys.readouterr().out.startswith("there are no rules")
    await approvals.rules(ours, None, is_json=True)
    assert json.loads(capsys.readouterr().out)["rules"] == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([{"effect": "ask"}, {"path": "a"}], "rule 2, effect is missing"),
        ([{"effect": "maybe"}], "rule 1, effect has to be 'allow', 'ask' or 'deny'"),
        ([{"effect": "ask", "paths": "a"}], "rule 1, paths is not known: a rule has tool, path"),
        ([{"effect": "ask", "path": "../x"}], "rule 1, path is wrong: it is relative to the"),
        ([{"effect": "ask", "path": ""}], "rule 1, path is empty"),
        ([{"effect": "ask", "path": 1}], "rule 1, path is no text"),
        ([{"effect": "ask", "path": "x" * 1025}], "rule 1, path has more than 1024 characters"),
        ([{"effect": "ask", "tool": ""}], "rule 1, tool is empty"),
        (["x"], "rule 1 is no object"),
        ([{"effect": "ask"}] * 201, "rules has more than 200 rules"),
        ({"rules": {}}, "rules is no list"),
        ({"rules": [], "revision": "x"}, "revision is no whole number"),
        ("x", "the file is no object"),
    ],
)
def test_rules_that_are_wrong_are_told_in_the_words_of_rules(tmp_path, given, told):
    """By their number as a person counts, and nothing of how they are read."""
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(given))
    with pytest.raises(typer.BadParameter) as caught:
        inputs.rules_of(path)
    assert told in str(caught.value)
    assert not re.search("Input should|Value error|Extra inputs|Field required", str(caught.value))


@pytest.mark.parametrize("revision", [None, 3])
async def test_rules_of_a_file_replace_those_there_are(target, tmp_path, capsys, revision):
    """A list whatever there is; what was printed only where it is still so."""
    rules, sent = Rules(rules=[DENY], revision=4), []

    class Keeping(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            sent.append((request.method, request.headers.get("if-match")))
            sent.append(json.loads(await request.aread()))
            return httpx.Response(200, content=rules.model_dump_json())

    given = [DENY.model_dump()]
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(given if revision is None else {"rules": given, "revision": 3}))
    assert await approvals.rules(Target(Keeping()), path, is_json=True) == 0
    match = None if revision is None else '"3"'
    assert sent == [("PUT", match), {"rules": [{"path": "*.pem", "effect": "deny"}]}]
    assert json.loads(capsys.readouterr().out)["revision"] == 4


async def test_rules_that_others_have_replaced_are_not_overwritten(tmp_path):
    """As with any file that two people edit."""
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [], "revision": 1}')

    class Changed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return problem(error("precondition_failed", "They have revision 2"))

    with pytest.raises(ClientError, match="precondition_failed"):
        await approvals.rules(Target(Changed()), path, is_json=False)
