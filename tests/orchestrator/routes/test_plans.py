"""Previews of plans that nobody has started, over HTTP."""

import asyncio

import pytest

from common.approvals.rules import Rule
from orchestrator.security.rate_limits import UserLimits
from tests.orchestrator.fakes import broken_inside
from tests.orchestrator.routes.approving import served, states, told
from tests.orchestrator.workspace import Files, SomeTools, delete, plan, read, write


@pytest.fixture
def files():
    """A workspace with two files."""
    return Files(a__txt="old", b__txt="old")


async def preview(http, session, *steps):
    """Ask for a preview of a plan."""
    body = {"session_id": session.id, "plan": plan(*steps).model_dump()}
    return await http.post("/v1/plans/preview", json=body)


async def test_preview_shows_every_change_whatever_the_rules_allow(store, session, files):
    """Who asks for it wants to see it; what would ask, and what is denied, is said beside."""
    opened = await session("local")
    rules = [Rule(path="docs/**", effect="allow"), Rule(path="secrets", effect="deny")]
    await store.rules.replace("local", rules, None)
    async with served(store, files) as http:
        answer = await preview(
            http, opened,
            read("a.txt"), write("docs/x"), write("b.txt"), delete("b.txt"), write("secrets/k"),
            write({"$from": "s1/output/content"}),
        )  # fmt: skip
    assert answer.status_code == 200
    shown = answer.json()
    assert states(shown) == ["free", "free", "asks", "asks", "denied", "deferred"]
    previews = [call["preview"] for call in shown["calls"]]
    assert [None if one is None else one["diff"] for one in previews] == [
        None, "-\n+new\n", "-old\n+new\n", None, None, None,
    ]  # fmt: skip
    assert previews[3]["depends_on_step"] == 3
    assert "secrets" in shown["calls"][4]["reason"]


async def test_preview_changes_nothing_and_keeps_nothing(store, session, files, redis):
    """Nothing of it is a run; and no call of it could take effect."""
    opened = await session("local")
    before = await redis.dbsize()
    async with served(store, files) as http:
        assert (await preview(http, opened, write("a.txt"))).status_code == 200
    assert files.made == []
    assert files.contents["a.txt"] == "old"
    assert [call.context.access for call in files.dry_runs] == ["read_only"]
    assert files.dry_runs[0].context.allowed_paths_root == f"local/{opened.workspace}"
    assert await redis.dbsize() == before


async def test_preview_shows_the_file_as_it_is_each_time(store, session, files):
    """A file that changes between two looks changes the second one."""
    opened = await session("local")
    async with served(store, files) as http:
        before = (await preview(http, opened, write("a.txt"))).json()
        files.contents["a.txt"] = "other"
        after = (await preview(http, opened, write("a.txt"))).json()
    diffs = [shown["calls"][0]["preview"]["diff"] for shown in (before, after)]
    assert diffs == ["-old\n+new\n", "-other\n+new\n"]


async def test_preview_of_what_cannot_be_made_says_why(store, session, files):
    """It is an error of that step, and the others are shown."""
    opened = await session("local")
    async with served(store, files) as http:
        shown = (await preview(http, opened, delete("none"), write("a.txt"))).json()
    errors = [call["preview"]["error"] for call in shown["calls"]]
    assert (errors[0]["code"], errors[1]) == ("path_not_found", None)


async def test_preview_checks_a_plan_as_a_run_does(store, session, files):
    """The fields to correct are the same."""
    opened = await session("local")
    async with served(store, files) as http:
        refused = await preview(http, opened, {"tool": "write_file", "arguments": {"path": 1}})
    assert told(refused) == (422, "invalid_plan")
    named = [field["field"] for field in refused.json()["context"]["fields"]]
    assert "steps.0.arguments.path" in named


async def test_preview_in_another_users_session_is_not_found(store, session, files):
    """It would show their files."""
    foreign = await session("bob")
    async with served(store, files) as http:
        assert told(await preview(http, foreign, write("a.txt"))) == (404, "session_not_found")
    assert files.dry_runs == []


async def test_preview_counts_as_a_run(store, session, files):
    """It takes as much of the execution environment as one."""
    opened = await session("local")
    async with served(store, files, user_limits=UserLimits(runs_per_minute=1)) as http:
        answers = [await preview(http, opened, write("a.txt")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


async def test_preview_without_the_execution_environment_is_its_error(store, session, files):
    """Neither the tools nor the files can be had."""
    opened, catalogue = await session("local"), SomeTools()
    async with served(store, files, catalogue) as http:
        files.fault = broken_inside()
        assert told(await preview(http, opened, write("a.txt"))) == (500, "internal")
        catalogue.is_away = True
        assert told(await preview(http, opened, write("a.txt"))) == (503, "unavailable")


async def test_preview_that_takes_too_long_ends(store, session, files):
    """A thousand slow looks would hold a client for hours; nothing is executed of what is cut off."""
    opened = await session("local")

    async def never(call, traceparent=None):
        await asyncio.Event().wait()

    files.run = never
    async with served(store, files, call_timeout=0.05) as http:
        refused = await preview(http, opened, write("a.txt"))
    assert told(refused) == (504, "deadline_exceeded")
    assert refused.json()["outcome"] == "not_executed"
