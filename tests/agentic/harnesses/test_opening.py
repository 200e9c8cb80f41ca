"""The session: opened once, whoever comes first and whatever becomes of them."""

import asyncio

import httpx
import pytest

from agentic.harnesses.opening import Opening
from common.errors import AgenticError, error
from tests.agentic.fakes import SESSION, Script, problem


def good():
    """The answer with a session."""
    return httpx.Response(200, content=SESSION.model_dump_json())


async def test_nothing_is_sent_before_a_session_is_asked_for(connect):
    """A backend is built without a service that is up."""
    script = Script(good())
    opening = Opening(await connect(script), workspace="demo")
    assert (opening.session_id, script.requests) == (None, [])


async def test_those_who_come_at_once_share_one_session(connect):
    """Two sessions would be two workspaces."""
    script = Script(good())
    opening = Opening(await connect(script))
    assert set(await asyncio.gather(*(opening.session() for _ in range(5)))) == {SESSION.id}
    assert len(script.requests) == 1


async def test_a_session_is_known_also_where_its_opener_was_cancelled(connect):
    """It is there: nobody could name it, or delete it, else."""
    asked, goes_on = asyncio.Event(), asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        requests = 0

        async def handle_async_request(self, _request):
            self.requests += 1
            asked.set()
            await goes_on.wait()
            return good()

    slow = Slow()
    opening = Opening(await connect(slow))
    opener = asyncio.create_task(opening.session())
    await asked.wait()
    opener.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opener
    assert opening.session_id is None
    goes_on.set()
    assert await opening.session() == opening.session_id == SESSION.id
    assert slow.requests == 1


async def test_an_opening_that_failed_is_tried_again_under_the_same_key(connect):
    """The session may have been made: there would be another one."""
    script = Script(problem(error("unavailable", "not now")), good())
    opening = Opening(await connect(script))
    with pytest.raises(AgenticError, match="not now"):
        await opening.session()
    assert await opening.session() == SESSION.id
    first, second = (request.headers["idempotency-key"] for request in script.requests)
    assert first == second


async def test_a_session_that_is_named_is_looked_up_once_and_not_replaced(connect):
    """One that is gone is an error, not a fresh workspace."""
    script = Script(problem(error("session_not_found", "gone")), good())
    opening = Opening(await connect(script), session_id=SESSION.id)
    with pytest.raises(AgenticError, match="gone"):
        await opening.session()
    assert [await opening.session() for _ in range(2)] == [SESSION.id] * 2
    assert [request.method for request in script.requests] == ["GET", "GET"]


async def test_a_workspace_and_a_session_are_not_given_together(connect):
    """The session has one."""
    client = await connect(Script(good()))
    with pytest.raises(ValueError, match="workspace"):
        Opening(client, workspace="demo", session_id=SESSION.id)
