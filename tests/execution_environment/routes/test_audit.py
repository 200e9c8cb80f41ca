"""The audit trail over HTTP: chosen by what it is about, page by page."""

import pytest

from tests.execution_environment.routes.conftest import CONTEXT, RUN, SESSION, body


@pytest.fixture
async def recorded(client):
    """Four calls on record: ann's in a session, two of bob's outside of any, one refused."""
    bob = {**CONTEXT, "user_id": "bob", "allowed_paths_root": "bob/demo"}
    del bob["session_id"], bob["run_id"]
    for call in (
        body("a"), body("b", context=bob), body("c", context=bob), {**body("d"), "tool": "nope"},
    ):  # fmt: skip
        await client.post("/v1/tool-calls", json=call)
    return client


async def ids(client, **query):
    """Return the ids of the calls that are found."""
    answer = await client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return [record["id"] for record in answer.json()["items"]]


async def test_audit_records_are_chosen_over_http(recorded):
    """By user, session, run, outcome and time; all that is asked for has to hold."""
    assert await ids(recorded) == ["a", "b", "c", "d"]
    assert await ids(recorded, user_id="bob") == ["b", "c"]
    assert await ids(recorded, session_id=SESSION) == await ids(recorded, run_id=RUN) == ["a", "d"]
    assert await ids(recorded, outcome="not_executed") == ["d"]
    assert await ids(recorded, outcome="not_executed", user_id="bob") == []
    times = [item["time"] for item in (await recorded.get("/v1/audit")).json()["items"]]
    assert await ids(recorded, since=times[1], until=times[3]) == ["b", "c"]


async def test_audit_records_are_paged_over_http(recorded):
    """In order of time, nothing twice and nothing missing."""
    found, query = [], {"limit": 3}
    while True:
        page = (await recorded.get("/v1/audit", params=query)).json()
        found.append([record["id"] for record in page["items"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [["a", "b", "c"], ["d"]]


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1001}, {"outcome": "maybe"}, {"session_id": "x"}, {"since": "soon"}],
)
async def test_a_query_of_the_audit_trail_that_makes_no_sense_is_refused(client, query):
    """An empty page would read as if nothing had happened."""
    answer = await client.get("/v1/audit", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
