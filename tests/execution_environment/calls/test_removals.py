"""The removal of files: with conditions, once, and never of more than was named."""

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.conftest import CANARY

URL = "/v1/files/local/demo/"


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


async def test_a_removed_file_is_gone_and_its_receipt_has_its_hash(client, demo):
    """The answer is that of a tool call."""
    (demo / "f").write_bytes(b"old")
    answer = await client.delete(f"{URL}f", headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json()["id"]) == (200, "one")
    [receipt] = answer.json()["receipts"]
    assert (receipt["path"], receipt["operation"]) == ("f", "delete")
    assert len(receipt["sha256_before"]) == 64
    assert not (demo / "f").exists()
    gone = await client.delete(f"{URL}f")
    assert (gone.status_code, gone.json()["code"]) == (404, "path_not_found")


async def test_a_removal_happens_once_for_each_key(client, demo):
    """The file that has come to the place since then stays."""
    (demo / "f").write_bytes(b"old")
    await client.delete(f"{URL}f", headers={"Idempotency-Key": "one"})
    (demo / "f").write_bytes(b"new")
    again = await client.delete(f"{URL}f", headers={"Idempotency-Key": "one"})
    assert again.json()["replayed"]
    assert (demo / "f").read_bytes() == b"new"


async def test_a_removal_keeps_to_the_state_that_the_caller_knows(client, demo):
    """If-Match: what was changed meanwhile stays."""
    (demo / "f").write_bytes(b"old")
    tag = (await client.head(f"{URL}f")).headers["etag"]
    (demo / "f").write_bytes(b"newer")
    refused = await client.delete(f"{URL}f", headers={"If-Match": tag})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    tag = (await client.head(f"{URL}f")).headers["etag"]
    assert (await client.delete(f"{URL}f", headers={"If-Match": tag})).status_code == 200


async def test_of_directories_only_an_empty_one_is_removed(client, demo):
    """Whoever wants more has a tool for it."""
    (demo / "d" / "e").mkdir(parents=True)
    refused = await client.delete(f"{URL}d")
    assert (refused.status_code, refused.json()["code"]) == (409, "directory_not_empty")
    assert (await client.delete(f"{URL}d/e/")).status_code == 200
    assert not (demo / "d" / "e").exists()


async def test_a_removed_link_takes_nothing_with_it(client, demo, outside):
    """It is the link that goes."""
    (demo / "link").symlink_to(outside)
    assert (await client.delete(f"{URL}link")).status_code == 200
    assert (outside / "canary.txt").read_text() == CANARY


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "path_not_allowed"),
        ("%2e", "not_a_file"),
        ("%2e%2e/demo2/canary.txt", "path_not_allowed"),
    ],
)
async def test_a_removal_stays_in_the_workspace(client, data_dir, path, code):
    """Neither the workspace itself, nor what lies beside it."""
    answer = await client.request("DELETE", httpx.URL("http://x" + URL + path))
    assert answer.json()["code"] == code
    assert (data_dir / "workspaces" / "local" / "demo2" / "canary.txt").exists()


async def test_removals_are_on_record(client, demo):
    """Refused ones, too, whose context says nothing that can be read."""
    (demo / "f").write_bytes(b"old")
    await client.delete(f"{URL}f", headers={"X-Execution-Context": "{"})
    await client.delete(f"{URL}f")
    records = (await client.get("/v1/audit", params={"user_id": "local"})).json()["items"]
    assert [(item["tool"], item["outcome"]) for item in records] == [
        ("delete_file", "not_executed"),
        ("delete_file", "executed"),
    ]
