"""Rules and people: what an agent of a harness cannot get around, neither by a call nor by a large file."""

import asyncio

import pytest

from agentic import Rule
from agentic.harnesses.calls import Calls
from agentic.harnesses.contents import INLINE, WINDOW, Contents
from agentic.harnesses.opening import Opening
from agentic.harnesses.pydantic_ai import AgenticWorkspaceBackend
from common.errors import AgenticError

SMALL, LARGE = b"x", b"x" * (INLINE + 1)
"""What a call takes along, and what goes over the route that is a person's."""


@pytest.fixture
async def place(client):
    """A session with a file of each size in it, and what works on it."""

    async def open_with(*rules, **terms):
        session = await client.create_session()
        for name, content in (("small", b"old"), ("large", b"old" * WINDOW)):
            await client.files.write(session.id, f"kept/{name}", content)
        await client.change_session(session.id, revision=session.revision, rules=rules)
        opening = Opening(client, session_id=session.id)
        return session.id, Contents(client, opening, Calls(client, opening, **terms))

    return open_with


async def content_of(client, session, path):
    """What is there, as a person sees it."""
    async with client.files.read(session, path) as download:
        return b"".join([piece async for piece in download.pieces()])


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("path", ["kept/small", "kept/new"])
async def test_what_a_rule_denies_to_write_is_not_written(client, place, path, content):
    """A large file goes by a route that no rule is asked about: it is not asked for then."""
    session, contents = await place(Rule(tool="write_file", path="kept/**", effect="deny"))
    with pytest.raises(AgenticError) as caught:
        await contents.write(path, content)
    assert caught.value.code == "denied_by_rule"
    assert await content_of(client, session, "kept/small") == b"old"
    assert [entry.path for entry in (await client.files.list(session, "kept")).entries] == [
        "kept/large",
        "kept/small",
    ]


@pytest.mark.parametrize("path", ["kept/small", "kept/large"])
async def test_what_a_rule_denies_to_read_is_not_read(place, path):
    """Also of a file whose rest is streamed."""
    _, contents = await place(Rule(path="kept", effect="deny"))
    with pytest.raises(AgenticError) as caught:
        await contents.read(path)
    assert caught.value.code == "denied_by_rule"


async def test_a_large_file_is_written_where_nothing_is_said(client, place):
    """The control of the one above, and of the two below."""
    session, contents = await place()
    for path in ("kept/small", "kept/new"):
        await contents.write(path, LARGE)
        assert await content_of(client, session, path) == LARGE
        assert await contents.read(path) == LARGE


@pytest.mark.parametrize(
    ("rules", "terms"),
    [
        ([Rule(path="kept", effect="ask")], {}),
        ([Rule(path="elsewhere", effect="ask")], {}),
        ([], {"approval": "writes"}),
    ],
    ids=["rule", "rule_elsewhere", "policy"],
)
async def test_a_file_too_large_to_be_shown_to_a_person_is_refused(client, place, rules, terms):
    """Nobody looks here which paths a rule means: that would be another reading of it than the service's."""
    session, contents = await place(*rules, **terms)
    with pytest.raises(AgenticError) as caught:
        await contents.write("kept/small", LARGE)
    assert caught.value.code == "file_too_large"
    assert await content_of(client, session, "kept/small") == b"old"


async def test_a_read_only_agent_writes_no_large_file_either(client, place):
    """The route knows of no access."""
    session, contents = await place(access="read_only")
    with pytest.raises(AgenticError) as caught:
        await contents.write("kept/small", LARGE)
    assert caught.value.code == "permission_denied"
    assert await content_of(client, session, "kept/small") == b"old"


async def waiting_run(client, session):
    """The run that waits for a person, once it does."""
    async for event in client.events(session):
        if event.type == "run.awaiting_approval":
            return await client.plan(session, event.run_id)
    raise AssertionError("the events have ended")


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_call_waits_for_a_person_and_does_what_they_say(client, decision):
    """The agent's call is under way meanwhile."""
    backend = AgenticWorkspaceBackend(client, approval="writes")
    await backend.working_dir()
    session = backend.ref.id
    writing = asyncio.create_task(backend.write_bytes("/workspace/a.txt", b"new"))
    plan = await waiting_run(client, session)
    assert "+new" in plan.calls[0].preview.diff
    if decision == "approve":
        await client.approve(session, plan.run_id, plan_revision=plan.plan_revision)
        await writing
    else:
        await client.reject(
            session, plan.run_id, plan_revision=plan.plan_revision, reason="Not this one"
        )
        with pytest.raises(PermissionError, match="Not this one"):
            await writing
    assert await backend.exists("/workspace/a.txt") == (decision == "approve")


async def test_a_call_that_nobody_answers_is_over_and_leaves_the_session_free(client):
    """It would keep all that comes after it waiting, and be made when nobody expects it any more."""
    backend = AgenticWorkspaceBackend(client, approval="writes", approval_seconds=0.2)
    with pytest.raises(AgenticError) as caught:
        await backend.write_bytes("/workspace/a.txt", b"new")
    session = backend.ref.id
    [run] = (await client.runs(session)).items
    assert (caught.value.code, caught.value.outcome) == ("deadline_exceeded", "not_executed")
    assert run.id in caught.value.detail
    assert (run.status, await backend.list_dir("/workspace")) == ("cancelled", [])


async def test_a_call_whose_caller_is_cancelled_is_over_too(client):
    """Nobody would look at what a person says to it."""
    backend = AgenticWorkspaceBackend(client, approval="writes")
    await backend.working_dir()
    session = backend.ref.id
    writing = asyncio.create_task(backend.write_bytes("/workspace/a.txt", b"new"))
    plan = await waiting_run(client, session)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert (await client.wait(session, plan.run_id)).status == "cancelled"
    assert await backend.list_dir("/workspace") == []
