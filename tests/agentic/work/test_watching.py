"""What is listed and shown of sessions and runs, for people and for scripts."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agentic.work import watching
from agentic.work.ending import ExitCode
from common.errors import ClientError, error
from common.ids import new_id
from common.runs import RunResult
from common.sessions import Session
from tests.agentic.fakes import SESSION, a_run, a_step, an_event, problem, stream

NOW = datetime.now(UTC)
RUN = new_id("run")


def a_session(minutes_ago, workspace="demo"):
    """A session that was opened so long ago."""
    opened = NOW - timedelta(minutes=minutes_ago)
    return Session(
        id=new_id("ses"), user_id="local", workspace=workspace, ttl=60.0, created_at=opened
    )


def run_in(session, **more):
    """A run of a session."""
    return a_run(**more).model_copy(update={"id": RUN, "session_id": session.id})


def at(session, *, method="GET", end=""):
    """The route of that run."""
    return f"{method} /v1/sessions/{session.id}/runs/{RUN}{end}"


async def test_sessions_are_listed_over_all_their_pages(target, capsys):
    """The newest first, a line each; the cursor is nobody's business."""
    sessions = [a_session(n) for n in range(5)]
    ours = target(routes={"GET /v1/sessions": sessions})
    assert await watching.sessions(ours, None, limit=None, is_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [session.id for session in sessions]


async def test_a_list_ends_at_its_limit_and_says_so(target, capsys):
    """On standard error: what is piped on has lines of the list only."""
    ours = target(routes={"GET /v1/sessions": [a_session(n) for n in range(5)]})
    await watching.sessions(ours, None, limit=2, is_json=False)
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert shown.err == "the first 2; --all shows the others\n"
    assert len(ours.routes.asked) == 2  # the second page told that there are more


@pytest.mark.parametrize("limit", [5, None])
async def test_a_list_that_is_complete_does_not_say_that_there_is_more(target, capsys, limit):
    """Exactly as many as the limit are all."""
    ours = target(routes={"GET /v1/sessions": [a_session(n) for n in range(5)]})
    await watching.sessions(ours, None, limit=limit, is_json=False)
    assert capsys.readouterr().err == ""


async def test_a_list_for_scripts_is_one_array_of_the_apis_models(target, capsys):
    """Which `jq` reads, and the models of the client validate."""
    sessions = [a_session(1, "other"), a_session(2)]
    ours = target(routes={"GET /v1/sessions": sessions})
    await watching.sessions(ours, "demo", limit=20, is_json=True)
    [told] = json.loads(capsys.readouterr().out)
    assert Session.model_validate(told) == sessions[1]


async def test_an_empty_list_is_no_line_and_an_empty_array(target, capsys):
    """Scripts get a document in any case."""
    for is_json, told in ((False, ""), (True, "[]\n")):
        ours = target(routes={"GET /v1/sessions": []})
        await watching.sessions(ours, None, limit=20, is_json=is_json)
        assert capsys.readouterr().out == told


async def test_runs_are_listed_over_all_sessions_of_a_workspace(target, capsys):
    """A goal is one line, however it was typed, and shortened."""
    mine, other = a_session(1), a_session(2, "other")
    goals = {mine.id: "find\nthe \x1b[31mbug" + "g" * 100, other.id: "other"}
    routes = {"GET /v1/sessions": [mine, other]}
    routes |= {
        f"GET /v1/sessions/{session.id}/runs": [run_in(session, goal=goals[session.id])]
        for session in (mine, other)
    }
    await watching.runs(target(routes=routes), None, "demo", limit=20, is_json=False)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(RUN)
    assert "find\\nthe \\x1b[31mbug" in line
    assert line.endswith("…")


async def test_runs_of_one_session_are_asked_for_there_alone(target, capsys):
    """No other session is read."""
    mine = a_session(1)
    ours = target(routes={f"GET /v1/sessions/{mine.id}/runs": [run_in(mine, goal=None)]})
    await watching.runs(ours, mine.id, None, limit=20, is_json=False)
    assert capsys.readouterr().out.split()[1:2] == ["succeeded"]
    assert len(ours.routes.asked) == 1


async def test_a_run_is_found_by_its_id_alone(target, capsys):
    """In the sessions that were there when it was made, the newest first; a later one cannot have it."""
    later, mine, older = a_session(-10), a_session(5), a_session(9)
    ours = target(routes={"GET /v1/sessions": [later, mine, older], at(mine): run_in(mine)})
    assert await watching.show(ours, RUN, is_json=True) == 0
    assert json.loads(capsys.readouterr().out)["session_id"] == mine.id
    asked = [path for path in ours.routes.asked if "/runs/" in path]
    assert asked == [at(mine)]


async def test_a_run_with_its_session_is_not_looked_for(target):
    """One request."""
    mine = a_session(5)
    ours = target(routes={at(mine): run_in(mine)})
    await watching.show(ours, f"{mine.id}/{RUN}", is_json=False)
    assert ours.routes.asked == [at(mine)]


async def test_a_run_that_no_session_has_is_not_found_within_bounds(target):
    """A typing mistake asks two hundred sessions at most."""
    ours = target(routes={"GET /v1/sessions": [a_session(5 + n) for n in range(300)]})
    with pytest.raises(ClientError, match="run_not_found"):
        await watching.show(ours, RUN, is_json=False)
    assert len([path for path in ours.routes.asked if "/runs/" in path]) == 200


@pytest.mark.parametrize("name", ["", "x", "run_1", "RUN/..", "ses_1/RUN", "RUN\n", "../x"])
async def test_what_names_no_run_is_refused_before_anything_is_asked(target, name):
    """An id goes into a path: it is what an id is, or nothing."""
    ours = target(routes={})
    with pytest.raises(ClientError, match="invalid_request"):
        await watching.show(ours, name.replace("RUN", RUN), is_json=False)
    assert ours.routes.asked == []


async def test_another_error_than_a_missing_run_ends_the_search(target):
    """It would be the same with the next session."""
    mine = a_session(5)
    refused = problem(error("unauthenticated", "no"))
    ours = target(routes={"GET /v1/sessions": [mine, a_session(6)], at(mine): refused})
    with pytest.raises(ClientError, match="unauthenticated"):
        await watching.show(ours, RUN, is_json=False)


async def test_a_run_is_shown_with_its_goal_steps_and_end(target, capsys):
    """As it was shown live."""
    mine = a_session(5)
    run = run_in(mine, steps=[a_step()], result=RunResult(answer="Done.", changes=[]))
    await watching.show(target(routes={at(mine): run}), f"{mine.id}/{RUN}", is_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "list",
        '  1  ok     look: read_file(path="a.txt")  2 ms',
        "Done.",
        f"succeeded: 1 steps, 0.00 s ({RUN})",
    ]


@pytest.mark.parametrize(("status", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 3)])
async def test_a_run_is_followed_to_its_end(target, capsys, status, code):
    """The exit code is the run's."""
    events = an_event(1, "step.succeeded", **a_step()), an_event(2, f"run.{status}")
    for is_json in (False, True):
        routes = {
            at(SESSION): run_in(SESSION, status=status),
            f"GET /v1/sessions/{SESSION.id}/events": stream(*events),
        }
        name = f"{SESSION.id}/{RUN}"
        assert await watching.follow(target(routes=routes), name, is_json=is_json) == code
        lines = capsys.readouterr().out.splitlines()
        if is_json:
            assert [json.loads(line)["seq"] for line in lines] == [1, 2]
        else:
            assert "look: read_file" in lines[0]


async def test_a_cancel_is_asked_for_and_its_answer_told(target, capsys):
    """As a line, or as the run."""
    for is_json in (False, True):
        routes = {at(SESSION): run_in(SESSION, status="running")}
        routes[at(SESSION, method="POST", end="/cancel")] = run_in(SESSION, status="running")
        ours = target(routes=routes)
        assert await watching.cancel(ours, f"{SESSION.id}/{RUN}", is_json=is_json) == 0
        told = capsys.readouterr().out
        assert (json.loads(told)["id"] if is_json else told) == (
            RUN if is_json else f"running: {RUN}\n"
        )
        assert at(SESSION, method="POST", end="/cancel") in ours.routes.asked


async def test_json_is_ascii_whatever_a_run_holds(target, capsys):
    """It is shown on terminals as well."""
    run = run_in(SESSION, goal="\x9b31m\u202e\ud7ff ☃")
    await watching.show(target(routes={at(SESSION): run}), f"{SESSION.id}/{RUN}", is_json=True)
    told = capsys.readouterr().out
    assert told.isascii()
    assert json.loads(told)["goal"] == run.goal


def test_exit_codes_are_the_contracts():
    """Scripts have them written down."""
    codes = {code.name: code.value for code in ExitCode}
    assert codes == {
        "SUCCEEDED": 0, "FAILED": 1, "USAGE": 2, "CANCELLED": 3, "AWAITING_PERSON": 4,
        "UNREACHABLE": 5, "UNREAD": 141,
    }  # fmt: skip
