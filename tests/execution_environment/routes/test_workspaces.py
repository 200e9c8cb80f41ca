"""Workspaces as things of their own: listed and measured, and deleted once, with all that is in them."""

import os
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.conftest import staged_in

URL = "/v1/workspaces/local"


@pytest.fixture
async def client(data_dir):
    """A client of the app over the data directory with its canaries."""
    app = build(Settings(data_dir=data_dir, service_token="secret"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer secret"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http,
    ):
        yield http
    assert staged_in(data_dir) == []


async def test_a_workspace_tells_its_size_and_when_a_call_last_changed_it(client, demo):
    """Counted on the disk before the first change, by the ledger from then on."""
    (demo / "a" / "b").mkdir(parents=True)
    (demo / "a" / "b" / "f").write_bytes(b"x" * 1000)
    long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
    os.utime(demo, (long_ago, long_ago))
    found = (await client.get(f"{URL}/demo")).json()
    assert (found["name"], found["size"], found["entries"]) == ("demo", 1000, 3)
    assert datetime.fromisoformat(found["changed_at"]).timestamp() == pytest.approx(long_ago)
    await client.put("/v1/files/local/demo/a/b/g", content=b"yy")
    changed = (await client.get(f"{URL}/demo")).json()
    assert (changed["size"], changed["entries"]) == (1002, 4)
    age = datetime.now(UTC) - datetime.fromisoformat(changed["changed_at"])
    assert abs(age) < timedelta(minutes=1)
    assert changed["generation"] == found["generation"]


async def test_workspaces_are_listed_by_name_page_by_page(client, demo):
    """What lies there and is no workspace, or has a name that nobody can ask for, is in no list."""
    for name in ("b", "a", "c"):
        (demo.parent / name).mkdir()
    (demo.parent / "B%").mkdir()
    (demo.parent / "link").symlink_to(demo)
    (demo.parent / "file").write_bytes(b"")
    names, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = (await client.get(URL, params={"limit": 2, **more})).json()
        assert len(page["items"]) <= 2
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == ["a", "b", "c", "demo", "demo2"]
    nobody = await client.get("/v1/workspaces/nobody")
    assert nobody.json() == {"items": [], "next_cursor": None}


async def test_a_list_of_workspaces_that_take_long_to_count_goes_on_in_the_next_page(
    client, demo, monkeypatch
):
    """Each page brings one at least, so that a list comes to its end however large they are."""
    monkeypatch.setattr("execution_environment.calls.workspaces.PATIENCE", -1.0)
    page = (await client.get(URL)).json()
    assert [item["name"] for item in page["items"]] == ["demo"]
    page = (await client.get(URL, params={"cursor": page["next_cursor"]})).json()
    assert ([item["name"] for item in page["items"]], page["next_cursor"]) == (["demo2"], None)


async def test_a_deleted_workspace_is_gone_and_one_made_again_is_another(client, demo):
    """One call takes the directory away; what comes after it begins with nothing."""
    (demo / "d").mkdir()
    (demo / "d" / "f").write_bytes(b"x" * 1000)
    before = (await client.get(f"{URL}/demo")).json()
    assert (await client.delete(f"{URL}/demo")).status_code == 204
    assert not demo.exists()
    assert (demo.parent / "demo2").exists()
    for answer in (await client.get(f"{URL}/demo"), await client.delete(f"{URL}/demo")):
        assert (answer.status_code, answer.json()["code"]) == (404, "workspace_not_found")
    await client.put("/v1/files/local/demo/new", content=b"yy")
    after = (await client.get(f"{URL}/demo")).json()
    assert (after["size"], after["entries"]) == (2, 1)
    assert after["generation"] != before["generation"]


async def test_a_workspace_is_deleted_once_for_each_key(client, demo):
    """The same key again says so again, and does not touch what was made there meanwhile."""
    key = {"Idempotency-Key": "once"}
    assert (await client.delete(f"{URL}/demo", headers=key)).status_code == 204
    await client.put("/v1/files/local/demo/new", content=b"yy")
    assert (await client.delete(f"{URL}/demo", headers=key)).status_code == 204
    assert (demo / "new").read_bytes() == b"yy"
    conflict = await client.delete(f"{URL}/demo2", headers=key)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")


async def test_the_deletion_of_a_workspace_is_on_record(client, demo):
    """Allowed and refused ones, under the workspace's name."""
    await client.delete(f"{URL}/demo", headers={"Idempotency-Key": "one"})
    await client.delete(f"{URL}/demo", headers={"Idempotency-Key": "two"})
    records = (await client.get("/v1/audit", params={"user_id": "local"})).json()["items"]
    told = [(item["tool"], item["id"], item["outcome"], item["code"]) for item in records]
    assert told == [
        ("delete_workspace", "one", "executed", None),
        ("delete_workspace", "two", "not_executed", "workspace_not_found"),
    ]
    assert records[0]["receipts"][0]["operation"] == "delete"
    assert records[0]["context"]["allowed_paths_root"] == "local/demo"
