"""Archives and differences over HTTP: what is told and sent, to whom, and what stands on record."""

import asyncio
import io
import json
import os
import tarfile

import httpx
import pytest
from structlog.testing import capture_logs

from common.files.archives import LINES, MANIFEST, MEDIA_TYPE
from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.archives.manifests import lines_of
from tests.execution_environment.conftest import sha, staged_in
from tests.execution_environment.routes.conftest import CONTEXT, headers, last_record

URL = "/v1/archives/local/demo"
DIFF = f"{URL}/diff"
TAR = {"Accept": MEDIA_TYPE}
MIB = 1024 * 1024


@pytest.fixture
def app(data_dir):
    """The service over the data directory with its canaries; five entries to a manifest."""
    return build(Settings(data_dir=data_dir, service_token="secret", workspace_entries=5))


@pytest.fixture
async def client(app, data_dir):
    """A client of the app."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    given = {"Authorization": "Bearer secret"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=given) as http,
    ):
        yield http
    assert staged_in(data_dir) == []


def read_only(**changed):
    """Return the headers of a call that may only read the workspace."""
    context = {"user_id": "local", "allowed_paths_root": "local/demo", "access": "read_only"}
    return headers(context={**CONTEXT, **context, **changed})


async def test_differences_come_as_lines_by_path_with_the_count_last(client, demo):
    """What is new, changed and gone, and whether the workspace has what the manifest names."""
    (demo / "b").mkdir()
    (demo / "b" / "same").write_bytes(b"same")
    (demo / "changed").write_bytes(b"2")
    (demo / "changed").chmod(0o755)
    (demo / "new").write_bytes(b"1")
    os.symlink("new", demo / "link")
    manifest = {"changed": b"1", "b/same": b"same", "gone": b"x"}
    body = lines_of({name.encode(): (content, False) for name, content in manifest.items()})
    answer = await client.post(DIFF, content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, LINES)
    changed, gone, new, count = [json.loads(line) for line in answer.text.splitlines()]
    facts = {"sha256": sha(b"2"), "size": 1, "mode": "0755"}
    assert changed == {
        "path": "changed", "state": "changed", "type": "file", **facts, "is_held": True,
    }  # fmt: skip
    assert gone == {"path": "gone", "state": "gone", "is_held": False}
    assert (new["path"], new["state"], new["sha256"]) == ("new", "new", sha(b"1"))
    generation = count.pop("generation")
    counts = {"new": 1, "changed": 1, "gone": 1, "same": 1, "skipped": 1}
    assert count == {"is_end": True, **counts}
    workspace = (await client.get("/v1/workspaces/local/demo")).json()
    assert generation == workspace["generation"]


async def test_differences_come_as_an_archive_to_whom_accepts_one(client, demo):
    """Then it has the contents, too."""
    (demo / "f").write_bytes(b"1")
    accepted = {"Accept": "text/html;q=0.1, Application/X-Tar; q=0.9"}
    answer = await client.post(DIFF, headers=accepted)
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        lines, content = [archive.extractfile(member).read() for member in archive]
        assert archive.getnames() == [MANIFEST, sha(b"1")]
    assert (lines, content) == ((await client.post(DIFF)).content, b"1")


async def test_a_workspace_that_does_not_exist_lacks_all_of_a_manifest(client):
    """A first push begins like this."""
    answer = await client.post(
        "/v1/archives/local/none/diff", content=lines_of({b"f": (b"1", False)})
    )
    gone, count = [json.loads(line) for line in answer.text.splitlines()]
    assert (gone["state"], count["gone"], count["generation"]) == ("gone", 1, None)


@pytest.mark.parametrize(
    ("body", "status", "code", "detail"),
    [
        (b"{", 422, "invalid_archive", "Line 1"),
        (b'{"path": "a"}\n', 422, "invalid_archive", "Line 1"),
        (b'{"path":"a","deleted":true,"expected_sha256":"' + b"0" * 64 + b'"}', 422,
         "invalid_archive", "'a' is deleted"),
        (lines_of({b"../x": (b"", False)}), 403, "path_not_allowed", "'../x'"),
        (lines_of({b"%d" % n: (b"", False) for n in range(6)}), 413, "request_too_large", "5 lines"),
    ],
    ids=["no-json", "no-file", "deletion", "leads-out", "too-long"],
)  # fmt: skip
async def test_a_manifest_that_names_no_files_is_refused(client, body, status, code, detail):
    """By its line or its path, and on record."""
    answer = await client.post(DIFF, content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert detail in answer.json()["detail"]
    record = await last_record(client)
    assert (record["tool"], record["code"]) == ("diff_archive", code)


async def test_an_archive_has_the_workspace_or_a_path_of_it(client, demo):
    """Under the workspace's name, for a browser."""
    (demo / "d").mkdir()
    (demo / "d" / "f").write_bytes(b"1")
    (demo / "g").write_bytes(b"2")

    async def names(**params):
        answer = await client.get(URL, params=params)
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert answer.headers["content-disposition"] == 'attachment; filename="demo.tar"'
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            return sorted(archive.getnames())

    assert await names() == ["d", "d/f", "g"]
    assert await names(path="d") == ["d", "d/f"]
    assert await names(path="d/f") == ["d/f"]
    missing = await client.get(URL, params={"path": "x"})
    assert (missing.status_code, missing.json()["code"]) == (404, "path_not_found")


async def test_who_may_only_read_may_ask_for_differences_and_archives(client, demo):
    """They change nothing. The record says who asked, and for what."""
    (demo / "f").write_bytes(b"1")
    assert (await client.post(DIFF, headers=read_only())).status_code == 200
    record = await last_record(client)
    assert (record["tool"], record["outcome"]) == ("diff_archive", "executed")
    assert record["context"]["session_id"] == CONTEXT["session_id"]
    assert (await client.get(URL, headers=read_only())).status_code == 200
    record = await last_record(client)
    assert (record["tool"], record["outcome"]) == ("get_archive", "executed")
    assert list(demo.iterdir()) == [demo / "f"]


@pytest.mark.parametrize(("method", "url", "tool"), [
    ("POST", DIFF, "diff_archive"), ("GET", URL, "get_archive"),
])  # fmt: skip
async def test_who_asks_about_anothers_workspace_is_refused_and_on_record(
    client, method, url, tool
):
    """The context is for another than the path names."""
    others = read_only(allowed_paths_root="local/demo2")
    answer = await client.request(method, url, headers=others)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert (await last_record(client))["tool"] == tool
    unknown = await client.request(method, url, headers={"Authorization": "Bearer x"})
    assert unknown.status_code == 401


async def test_a_diff_ends_at_the_deadline_of_its_call(client, demo):
    """The answer says so: nothing of it was sent."""
    (demo / "f").write_bytes(b"1")
    answer = await client.post(DIFF, headers=read_only(timeout=1e-9))
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


class Client:
    """A client of the bare application, which takes what it is sent when it likes to."""

    def __init__(self, app, url, **given):
        """`given` are headers of the request."""
        path, _, query = url.partition("?")
        lines = {"authorization": "Bearer secret", **given}
        self._app = app
        self._scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
            "server": ("x", 80), "client": ("y", 1), "root_path": "", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in lines.items()],
        }  # fmt: skip
        self._pieces = 0
        self.has_ended = False
        """Whether the answer came to its end, as a server would let the client know."""

    async def ask(self, between=None):
        """Take the answer, whole; `between` is done after the first piece of its body."""

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            self.has_ended = message.get("more_body") is False
            self._pieces += bool(message.get("body"))
            if between is not None and self._pieces == 1:
                await between()

        async with asyncio.timeout(20):
            await self._app(self._scope, receive, send)


async def test_an_archive_whose_file_is_written_meanwhile_never_ends(client, app, demo):
    """Its connection does: nobody takes the part for the whole."""
    (demo / "f").write_bytes(bytes(3 * MIB))
    untouched = Client(app, URL)
    await untouched.ask()
    assert untouched.has_ended

    async def write():
        with (demo / "f").open("r+b") as file:
            file.write(b"1")

    taker = Client(app, URL)
    with capture_logs(), pytest.raises(RuntimeError) as caught:  # the answer has begun
        await taker.ask(write)
    assert "'f' has changed" in str(caught.value.__cause__)
    assert not taker.has_ended


async def test_an_archive_that_is_taken_too_slowly_ends_and_gives_its_file_back(
    client, app, demo, open_descriptors
):
    """At the deadline of its call. No thread waits for the client: other calls have them all."""
    (demo / "f").write_bytes(bytes(3 * MIB))
    context = {"user_id": "local", "allowed_paths_root": "local/demo", "timeout": 0.3}
    given = headers(context={**CONTEXT, **context})
    before = open_descriptors()
    slow = Client(app, URL, **{name.lower(): value for name, value in given.items()})

    async def stall():
        assert (await client.get("/v1/files/local/demo/f")).status_code == 200
        await asyncio.Event().wait()

    with capture_logs(), pytest.raises(RuntimeError) as caught:
        await slow.ask(stall)
    assert "too slowly" in str(caught.value.__cause__)
    assert not slow.has_ended
    assert open_descriptors() == before


async def test_diffs_and_archives_leave_no_descriptor_open(client, demo, open_descriptors):
    """Those that are refused and those that are taken."""
    (demo / "f").write_bytes(b"1")

    async def ask():
        for path in (".", "f", "missing"):
            await client.get(URL, params={"path": path})
        for accepted in ({}, TAR):
            await client.post(DIFF, headers=accepted)
            await client.post(DIFF, headers=accepted, content=b"{")

    await ask()
    before = open_descriptors()
    await ask()
    assert open_descriptors() == before


async def test_the_document_of_the_service_tells_of_both_forms_of_a_diff(client):
    """And of the body that is asked for."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    diff = paths["/v1/archives/{user}/{workspace}/diff"]["post"]
    assert set(diff["responses"]["200"]["content"]) == {LINES, MEDIA_TYPE}
    assert set(diff["requestBody"]["content"]) == {LINES}
    assert {"403", "413", "422", "503", "504"} <= diff["responses"].keys()
    get = paths["/v1/archives/{user}/{workspace}"]["get"]
    assert set(get["responses"]["200"]["content"]) == {MEDIA_TYPE}
    assert [item["name"] for item in get["parameters"] if item["in"] == "query"] == ["path"]
