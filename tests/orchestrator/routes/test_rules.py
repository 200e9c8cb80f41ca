"""Rules over HTTP: a user's own, and a session's."""

import pytest

from tests.orchestrator.routes.approving import served, told

DENY = {"tool": None, "path": "secrets", "effect": "deny"}
ALLOW = {"tool": "write_file", "path": "docs/**", "effect": "allow"}


@pytest.fixture
async def http(store):
    """A client."""
    async with served(store) as client:
        yield client


async def put(http, *rules, etag=None):
    """Replace the user's rules."""
    headers = {} if etag is None else {"If-Match": etag}
    return await http.put("/v1/rules", json={"rules": list(rules)}, headers=headers)


async def patch(http, session, etag, **changes):
    """Change a session."""
    headers = {} if etag is None else {"If-Match": etag}
    return await http.patch(f"/v1/sessions/{session.id}", json=changes, headers=headers)


async def test_rules_of_a_user_are_kept_in_their_order(http, store):
    """The first word on a path counts."""
    none = await http.get("/v1/rules")
    assert (none.json(), none.headers["ETag"]) == ({"rules": [], "revision": 0}, '"0"')
    replaced = await put(http, DENY, ALLOW)
    assert (replaced.status_code, replaced.headers["ETag"]) == (200, '"1"')
    assert (await http.get("/v1/rules")).json() == {"rules": [DENY, ALLOW], "revision": 1}
    assert (await store.rules.of_user("bob")).rules == []


async def test_rules_that_somebody_has_changed_meanwhile_are_not_overwritten(http):
    """A denial that was just added would go; without If-Match, all take the place of all."""
    await put(http, DENY)
    refused = await put(http, ALLOW, etag='"0"')
    assert told(refused) == (412, "precondition_failed")
    assert refused.json()["context"]["actual"] == 1
    assert (await put(http, ALLOW, etag='"1"')).headers["ETag"] == '"2"'
    assert (await put(http, etag=None)).json() == {"rules": [], "revision": 3}


@pytest.mark.parametrize("etag", ["*", "1", 'W/"1"'])
async def test_rules_under_an_etag_that_is_none_are_refused(http, etag):
    """A condition that is not understood is not passed over."""
    assert told(await put(http, DENY, etag=etag)) == (422, "invalid_request")


@pytest.mark.parametrize("path", ["[z-a]", "../x", "/etc", ""])
async def test_rule_whose_path_is_no_glob_is_refused(http, store, session, path):
    """It would rule nothing, in silence; the error names it."""
    opened, rules = await session("local"), [DENY, {"path": path, "effect": "deny"}]
    for refused in (await put(http, *rules), await patch(http, opened, '"0"', rules=rules)):
        assert told(refused) == (422, "invalid_request")
        named = [field["field"] for field in refused.json()["context"]["fields"]]
        assert named == ["rules.1.path"]
    assert (await store.rules.of_user("local")).rules == []


async def test_session_says_its_revision(http, session):
    """Whoever wants to change it has the ETag at once."""
    created = await http.post("/v1/sessions", json={})
    assert (created.status_code, created.headers["ETag"]) == (201, '"0"')
    found = await http.get(f"/v1/sessions/{created.json()['id']}")
    assert found.headers["ETag"] == '"0"'


async def test_session_is_changed_where_it_is_named_and_stays_else(http, session):
    """Rules do not take the metadata along."""
    opened = await session("local", metadata={"a": "b"})
    changed = await patch(http, opened, '"0"', rules=[DENY])
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"1"')
    assert (changed.json()["rules"], changed.json()["metadata"]) == ([DENY], {"a": "b"})
    changed = await patch(http, opened, '"1"', metadata={}, ttl=3600)
    shown = changed.json()
    assert (shown["rules"], shown["metadata"], shown["ttl"]) == ([DENY], {}, 3600)
    assert (await http.get(f"/v1/sessions/{opened.id}")).json() == shown


async def test_change_of_a_session_that_is_another_by_now_is_refused(http, session):
    """Of two who change it, the second one looks again."""
    opened = await session("local")
    assert (await patch(http, opened, '"0"', rules=[DENY])).status_code == 200
    assert told(await patch(http, opened, '"0"', rules=[])) == (412, "precondition_failed")
    assert told(await patch(http, opened, None, rules=[])) == (422, "invalid_request")
    assert told(await patch(http, opened, "*", rules=[])) == (422, "invalid_request")
    assert (await http.get(f"/v1/sessions/{opened.id}")).json()["rules"] == [DENY]


async def test_nobody_changes_another_users_session(http, session):
    """It is not told apart from none."""
    foreign = await session("bob")
    assert told(await patch(http, foreign, '"0"', rules=[])) == (404, "session_not_found")
