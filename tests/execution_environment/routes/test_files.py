"""The file routes: conditions and ranges as RFC 9110 has them, uploads once and within bounds."""

import asyncio
import hashlib
import os
from urllib.parse import quote

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.conftest import staged_in

URL = "/v1/files/local/demo/"
DATA = b"".join(n.to_bytes(4, "big") for n in range(2560))


@pytest.fixture
async def client(data_dir):
    """A client of the app over the data directory with its canaries."""
    app = build(Settings(data_dir=data_dir, service_token="secret", workspace_quota="20000"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer secret"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http,
    ):
        yield http
    assert staged_in(data_dir) == []


@pytest.fixture
def file(demo):
    """A file to download."""
    (demo / "file").write_bytes(DATA)
    return demo / "file"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        (None, 200, DATA),
        ("bytes=0-0", 206, DATA[:1]),
        ("bytes=5-9", 206, DATA[5:10]),
        ("bytes=10000-", 206, DATA[10000:]),
        ("bytes=10000-99999", 206, DATA[10000:]),
        ("bytes=-5", 206, DATA[-5:]),
        ("bytes=-99999", 206, DATA),
        ("bytes=0-1,5-6", 200, DATA),
        ("bytes=9-5", 200, DATA),
        ("bytes=-", 200, DATA),
        ("lines=1-2", 200, DATA),
    ],
)
async def test_ranges_of_a_download_are_answered_as_the_standard_says(
    client, file, asked, status, part
):
    """One range is served; what is not one range of bytes is as if it was not there."""
    headers = {} if asked is None else {"Range": asked}
    answer = await client.get(f"{URL}file", headers=headers)
    assert (answer.status_code, answer.content) == (status, part)
    assert answer.headers["content-length"] == str(len(part))
    if status == 206:
        start = DATA.index(part) if part != DATA[:1] else 0
        wanted = f"bytes {start}-{start + len(part) - 1}/{len(DATA)}"
        assert answer.headers["content-range"] == wanted
    head = await client.head(f"{URL}file", headers=headers)
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
async def test_a_range_past_the_end_of_a_download_cannot_be_served(client, file, asked):
    """416, with the size that there is."""
    answer = await client.get(f"{URL}file", headers={"Range": asked})
    assert (answer.status_code, answer.json()["code"]) == (416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


async def test_conditions_on_a_download(client, file):
    """304 for what the client has, 412 for what it does not want, If-Range for a resumed one."""
    first = await client.get(f"{URL}file")
    etag, modified = first.headers["etag"], first.headers["last-modified"]

    async def status(**headers):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.get(f"{URL}file", headers=given)).status_code

    assert await status(If_None_Match=etag) == 304
    assert await status(If_None_Match=f'"x", W/{etag}') == 304
    assert await status(If_None_Match='"x"') == 200
    assert await status(If_Modified_Since=modified) == 304
    assert await status(If_Modified_Since="garbage") == 200
    assert await status(If_Match=etag) == 200
    assert await status(If_Match="*") == 200
    assert await status(If_Match='"x"') == 412
    assert await status(Range="bytes=0-1", If_Range=etag) == 206
    assert await status(Range="bytes=0-1", If_Range=modified) == 206
    assert await status(Range="bytes=0-1", If_Range='"x"') == 200
    file.write_bytes(DATA)
    assert await status(If_None_Match=etag) == 200


@pytest.mark.parametrize("name", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
async def test_a_condition_on_a_date_that_no_clock_shows_is_ignored(
    client, file, open_descriptors, name
):
    """It was a fault, and each left a descriptor open."""
    await client.get(f"{URL}file")
    before = open_descriptors()
    for date in ("Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"):
        for _ in range(5):
            answer = await client.get(f"{URL}file", headers={name: date, "Range": "bytes=0-"})
            assert answer.status_code in (200, 206, 412), answer.text
    assert open_descriptors() == before


async def test_if_unmodified_since_guards_where_there_is_no_if_match(client, file):
    """RFC 9110, 13.1.4: an old client's only way not to overwrite what it has not seen."""
    os.utime(file, (1_000_000_000.9, 1_000_000_000.9))
    etag = (await client.get(f"{URL}file")).headers["etag"]
    same, earlier = "Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:46:39 GMT"
    header = "If-Unmodified-Since"
    assert (await client.get(f"{URL}file", headers={header: same})).status_code == 200
    assert (await client.get(f"{URL}file", headers={header: earlier})).status_code == 412
    refused = await client.put(f"{URL}file", content=b"new", headers={header: earlier})
    assert (refused.status_code, file.read_bytes()) == (412, DATA)
    both = {header: earlier, "If-Match": etag}
    assert (await client.put(f"{URL}file", content=b"new", headers=both)).status_code == 200
    assert (await client.put(f"{URL}x", content=b"", headers={header: earlier})).status_code == 201


async def test_the_lines_of_a_condition_are_one_list(client, file):
    """RFC 9110, 5.3: only the first line was looked at."""
    etag = (await client.get(f"{URL}file")).headers["etag"]

    async def status(name, *lines):
        given = [(name, line) for line in lines]
        return (await client.get(f"{URL}file", headers=given)).status_code

    assert await status("If-None-Match", '"x"', etag) == 304
    assert await status("If-None-Match", '"x"', f'"y,*", {etag} , "z"') == 304
    assert await status("If-None-Match", '"x"', "*") == 304
    assert await status("If-None-Match", '"x"', '"a,*,b"') == 200
    assert await status("If-Match", '"x"', etag) == 200
    assert await status("If-Match", '"x"', '"y"') == 412
    assert await status("Range", "bytes=0-1", "bytes=2-3") == 200
    both = [("If-None-Match", '"x"'), ("If-None-Match", etag)]
    refused = await client.put(f"{URL}file", content=b"new", headers=both)
    assert (refused.status_code, file.read_bytes()) == (412, DATA)


async def test_an_upload_of_a_part_is_refused(client, file):
    """It replaced the whole file with the part (RFC 9110, 14.5)."""
    answer = await client.put(f"{URL}file", content=b"x", headers={"Content-Range": "bytes 0-0/2"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    assert file.read_bytes() == DATA


async def test_an_upload_creates_and_replaces(client, demo):
    """201 and 200; parents are made, the mode is kept, the receipt has both hashes."""
    made = await client.put(f"{URL}a/b", content=b"1")
    assert (made.status_code, (demo / "a/b").read_bytes()) == (201, b"1")
    (demo / "a/b").chmod(0o600)
    replaced = await client.put(f"{URL}a/b", content=b"22")
    [receipt] = replaced.json()["receipts"]
    assert (replaced.status_code, receipt["operation"]) == (200, "replace")
    assert receipt["sha256_before"] == hashlib.sha256(b"1").hexdigest()
    assert receipt["sha256_after"] == hashlib.sha256(b"22").hexdigest()
    assert (demo / "a/b").stat().st_mode & 0o777 == 0o600


async def test_conditions_on_an_upload(client, file):
    """`If-None-Match: *` creates only; If-Match replaces only what was seen."""
    etag = (await client.get(f"{URL}file")).headers["etag"]
    for headers in ({"If-None-Match": "*"}, {"If-Match": '"x"'}):
        answer = await client.put(f"{URL}file", content=b"new", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert (await client.put(f"{URL}x", content=b"", headers={"If-Match": "*"})).status_code == 412
    assert file.read_bytes() == DATA
    answer = await client.put(f"{URL}file", content=b"new", headers={"If-Match": etag})
    assert (answer.status_code, file.read_bytes()) == (200, b"new")
    answer = await client.put(f"{URL}x", content=b"1", headers={"If-None-Match": "*"})
    assert answer.status_code == 201


async def test_an_upload_happens_once(client, demo):
    """The same key and content again gives the stored result; other content is a conflict."""
    key = {"Idempotency-Key": "u1"}
    await client.put(f"{URL}x", content=b"1", headers=key)
    (demo / "x").write_bytes(b"since")
    again = await client.put(f"{URL}x", content=b"1", headers=key)
    assert (again.json()["replayed"], (demo / "x").read_bytes()) == (True, b"since")
    other = await client.put(f"{URL}x", content=b"2", headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def no_room(client, demo):
    """Leave no room for what was uploaded to `d/x`, which is elsewhere now."""
    (demo / "d/x").rename(demo / "moved")
    assert (await client.put(f"{URL}rest", content=b"z" * 9_000)).status_code == 201


async def no_place(_client, demo):
    """Have a file where the directory was."""
    (demo / "d/x").unlink()
    (demo / "d").rmdir()
    (demo / "d").write_text("a file")


@pytest.mark.parametrize("change", [no_room, no_place])
@pytest.mark.parametrize("size", [10_000, 0])
async def test_an_upload_that_has_happened_needs_no_room_or_place(client, demo, change, size):
    """Its retry was told 507 or 409, and that nothing had been executed."""
    key, content = {"Idempotency-Key": "u1"}, b"y" * size
    made = await client.put(f"{URL}d/x", content=content, headers=key)
    await change(client, demo)
    again = await client.put(f"{URL}d/x", content=content, headers=key)
    assert (again.status_code, again.json()["replayed"]) == (201, True)
    assert again.json()["receipts"] == made.json()["receipts"]
    other = await client.put(f"{URL}d/x", content=b"other", headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    new = await client.put(f"{URL}d/x", content=b"y" * 12_000)
    assert (new.status_code, new.json()["outcome"]) in (
        (507, "not_executed"),
        (409, "not_executed"),
    )


async def test_an_upload_is_bounded_while_it_comes(client, demo):
    """It is refused at the quota, not at its end, and leaves nothing."""
    (demo / "x").write_bytes(b"x" * 15_000)
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 10**8:
            sent += 1000
            yield b"y" * 1000

    answer = await client.put(f"{URL}y", content=endless())
    assert (answer.status_code, answer.json()["code"]) == (507, "quota_exceeded")
    assert sent < 50_000
    assert [path.name for path in demo.iterdir()] == ["x"]
    assert (await client.put(f"{URL}x", content=b"z" * 20_000)).status_code == 200


async def test_uploads_at_once_leave_one_of_them_whole(client, demo):
    """Each is made anew on what the one before it left."""
    contents = [bytes([65 + n]) * 1000 for n in range(12)]
    answers = await asyncio.gather(
        *(client.put(f"{URL}a/x", content=content) for content in contents)
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert (demo / "a/x").read_bytes() in contents


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("nope", 404, "path_not_found"), ("link", 403, "path_not_allowed"), ("", 403, ""),
        ("link/canary.txt", 403, "path_not_allowed"), ("%2e%2e/canary.txt", 403, ""),
        ("dir", 409, "not_a_file"), ("a%00b", 403, "path_not_allowed"),
        ("%5Cx2e%5Cx2e/canary.txt", 403, "path_not_allowed"), ("/etc/passwd", 403, ""),
    ],
)  # fmt: skip
async def test_paths_of_the_file_routes_are_held_like_everywhere(
    client, demo, outside, path, status, code
):
    """No canary comes out, and nothing goes there."""
    (demo / "link").symlink_to(outside)
    (demo / "dir").mkdir()
    for method in ("GET", "PUT"):
        answer = await client.request(
            method, f"{URL}{path}", content=b"" if method == "GET" else b"x"
        )
        if (method, path) == ("PUT", "nope"):
            assert answer.status_code == 201
            continue
        assert answer.status_code in (status, 409, 404), answer.text
        assert not code or answer.json()["code"] in (code, "not_a_file")
    assert sorted(path.name for path in outside.iterdir()) == ["canary.txt"]


@pytest.mark.parametrize("name", ["a\nb", "a\n", "\nb/c\n", "a\r\nb", "a\u2028b", "\t"])
async def test_every_file_name_has_an_address(client, demo, name):
    """A newline in it led to no route."""
    address = URL + quote(name)
    assert (await client.put(address, content=b"x")).status_code == 201
    assert (demo / name).read_bytes() == (await client.get(address)).content == b"x"
    assert (await client.head(address)).status_code == 200


async def test_a_file_request_may_carry_the_whole_context(client, demo, data_dir):
    """It reaches the audit trail; one for another workspace is refused, and on record."""
    context = (
        '{"request_id":"r1","session_id":"ses_%s","user_id":"local","timeout":5,'
        '"request_source":{"kind":"cli"},"allowed_paths_root":"local/%s","access":"%s"}'
    )
    (demo / "x").write_bytes(b"1")
    header = "X-Execution-Context"
    right = {header: context % ("0" * 32, "demo", "read_only")}
    assert (await client.get(f"{URL}x", headers=right)).status_code == 200
    assert (await client.put(f"{URL}y", content=b"", headers=right)).status_code == 403
    doubled = right[header].replace('"timeout"', '"timeout":6,"timeout"')
    for malformed in (doubled, "{", '"\\ud800"'):
        answer = await client.get(f"{URL}x", headers={header: malformed})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    for wrong in (context % ("0" * 32, "demo2", "read_only"), "{}"):
        answer = await client.get(f"{URL}x", headers={header: wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    trail = (await client.get("/v1/audit", params={"session_id": "ses_" + "0" * 32})).json()
    assert [(record["tool"], record["code"]) for record in trail["items"]] == [
        ("download_file", None),
        ("upload_file", "permission_denied"),
        ("download_file", "malformed_request"),
        ("download_file", "invalid_request"),
    ]
