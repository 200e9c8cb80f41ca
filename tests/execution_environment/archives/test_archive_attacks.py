"""Archives that are made to lead out, to fill the disk, or to say one thing and bring another."""

import asyncio
import io
import json
import os
import tarfile

import httpx
import pytest

from common.files.archives import MANIFEST, MAX_LINE
from common.files.tar_stream import BLOCK, END, header_of
from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.archives.building import archive, lines, member, put
from tests.execution_environment.conftest import digest_outside, sha, staged_in

URL = "/v1/archives/local/demo"
TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture
async def client(tmp_path, data_dir, demo):
    """A client; at the end nothing outside the workspace has changed, and nothing is left staged."""
    settings = Settings(
        data_dir=data_dir, service_token="secret", max_write="1000", workspace_entries="100"
    )
    app = build(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer secret", **TAR}
    before = digest_outside(tmp_path, demo)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http,
    ):
        yield http
    assert staged_in(data_dir) == []
    assert digest_outside(tmp_path, demo) == before


@pytest.fixture
def attack(client, demo, outside):
    """Send a body; return the error's code. Nothing of it comes to be in the workspace."""
    (demo / "link").symlink_to(outside)
    (demo / "file").write_bytes(b"file")

    async def send(body, **headers):
        before = sorted(demo.rglob("*"))
        answer = await client.put(URL, content=body, headers=headers)
        assert answer.status_code < 500, answer.text
        assert sorted(demo.rglob("*")) == before, answer.text
        return answer.json()["code"]

    return send


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/passwd", "path_not_allowed"),
        ("{outside}/canary.txt", "path_not_allowed"),
        ("../canary.txt", "path_not_allowed"),
        ("a/../../canary.txt", "path_not_allowed"),
        ("..", "path_not_allowed"),
        ("a/..", "path_not_allowed"),
        ("\\x2e\\x2e/canary.txt", "path_not_allowed"),
        ("\\x2fetc/passwd", "path_not_allowed"),
        ("..\\x2fcanary.txt", "path_not_allowed"),
        ("a\0b", "path_not_allowed"),
        ("a\\x00b", "path_not_allowed"),
        ("x" * 256, "path_not_allowed"),
        ("x/" * 2047 + "xx", "invalid_archive"),
        ("\u00e9" * 2047 + "/xx", "path_not_allowed"),
        (".", "invalid_archive"),
        ("./.", "invalid_archive"),
        ("//", "path_not_allowed"),
        ("", "invalid_archive"),
        ("link", "changed_elsewhere"),
        ("link/new", "changed_elsewhere"),
        ("link/canary.txt", "changed_elsewhere"),
        ("file/new", "changed_elsewhere"),
    ],
    ids=[
        "absolute", "absolute-outside", "parent", "inner-parent", "only-parent", "ends-in-parent",
        "escaped-parent", "escaped-root", "escaped-slash", "nul", "escaped-nul", "long-name",
        "long-path", "long-bytes", "dot", "dots", "slashes", "empty", "link", "below-a-link",
        "through-a-link", "below-a-file",
    ],
)  # fmt: skip
async def test_no_path_of_an_archive_leads_out(attack, outside, path, code):
    """Nor is any put right: a path is what it says, or it is refused."""
    path = path.replace("{outside}", str(outside))
    for query in ("", "?force=true"):
        body = archive(put(path, b"pwned"), bodies=[b"pwned"])
        assert await attack(body) == code, query


async def test_force_leads_out_no_further(client, demo, outside):
    """It overrides files of the workspace; a link is none."""
    (demo / "link").symlink_to(outside)
    for path in ("link", "link/canary.txt", "link/new"):
        body = archive(put(path, b"pwned"), bodies=[b"pwned"])
        answer = await client.put(f"{URL}?force=true", content=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "changed_elsewhere")
    assert (demo / "link").is_symlink()


async def test_names_that_only_look_alike_are_two_files(client, demo):
    """Names are bytes here: neither case nor normal form makes two of them one."""
    names = [
        "A",
        "a",
        "\u00e9",
        "e\u0301",
        "a\nb",
        "a\\x0ab2",
        " ",
        "a ",
        ".git",
        "con",
        "a:b",
        "*",
    ]
    body = archive(*(put(name, b"1") for name in names), bodies=[b"1"])
    answer = await client.put(URL, content=body)
    assert answer.status_code == 200, answer.text
    wanted = {name.replace("\\x0a", "\n") for name in names}
    assert set(os.listdir(demo)) == wanted


def told(**how):
    """Return a member that is not a plain file, behind a manifest."""
    info = tarfile.TarInfo(how.pop("name", "x"))
    for field, value in how.items():
        setattr(info, field, value)
    return member(MANIFEST, lines()) + info.tobuf(tarfile.USTAR_FORMAT) + END


def sparse():
    """Return a member that stands for ten gigabytes of nothing, as GNU tar writes one."""
    block = bytearray(header_of(sha(b"x"), 0))
    block[156:157] = b"S"
    block[483:495] = b"%011o\0" % (10 << 30)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return member(MANIFEST, lines(put("x", b"x"))) + bytes(block) + END


def of_pax(form):
    """Return an archive that says more of its members than a plain header can."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        info = tarfile.TarInfo("x" * 200)
        tar.addfile(info, io.BytesIO())
    return member(MANIFEST, lines()) + buffer.getvalue()


FILE = put("x", b"1")
BODIES = {
    "nothing": b"",
    "zeroes": END,
    "no manifest": member(sha(b"1"), b"1") + END,
    "manifest not first": member(sha(b"1"), b"1") + member(MANIFEST, lines(FILE)) + END,
    "manifest twice": archive(FILE, bodies=[b"1"])[: -len(END)] + member(MANIFEST, lines(FILE)) + END,
    "manifest in a directory": member(f"./{MANIFEST}", lines(FILE)) + END,
    "hard link": told(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "symbolic link": told(type=tarfile.SYMTYPE, linkname="/etc"),
    "character device": told(type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "block device": told(type=tarfile.BLKTYPE, devmajor=8),
    "fifo": told(type=tarfile.FIFOTYPE),
    "directory": told(type=tarfile.DIRTYPE),
    "manifest is a link": told(name=MANIFEST, type=tarfile.SYMTYPE, linkname="/etc/passwd")[BLOCK:],
    "sparse": sparse(),
    "pax": of_pax(tarfile.PAX_FORMAT),
    "GNU": of_pax(tarfile.GNU_FORMAT),
    "a content that nobody named": archive(FILE, bodies=[b"1", b"2"]),
    "a content twice": archive(FILE, bodies=[b"1", b"1"]),
    "a content by path": member(MANIFEST, lines(FILE)) + member("x", b"1") + END,
    "a content in upper case": member(MANIFEST, lines(put("x", b"2")))
    + member(sha(b"2").upper(), b"2") + END,
    "a content by a long hash": member(MANIFEST, lines(FILE)) + member(sha(b"1") + "00", b"1") + END,
    "another content": member(MANIFEST, lines(FILE)) + member(sha(b"1"), b"2") + END,
    "a longer content": member(MANIFEST, lines(FILE)) + member(sha(b"1"), b"11") + END,
    "another size": archive({**FILE, "size": 2}, bodies=[b"1"]),
    "wrong checksum": archive(FILE)[:100] + b"9" + archive(FILE)[101:],
    "cut in a header": archive(FILE, bodies=[b"1"])[:100],
    "cut in the manifest": archive(FILE, bodies=[b"1"])[: BLOCK + 10],
    "cut in a content": archive(FILE, bodies=[b"1"])[: 3 * BLOCK + 1],
    "cut before the end": archive(FILE, bodies=[b"1"])[: -len(END)],
    "something behind the end": archive(FILE, bodies=[b"1"]) + b"x",
    "a member behind the end": archive(FILE, bodies=[b"1"]) + member(sha(b"1"), b"1"),
    "a duplicate key": archive(json.dumps(FILE).encode()[:-1] + b',"path":"y"}'),
    "not JSON": archive(b"{"),
    "a long line": archive(put("x" * MAX_LINE, b"1")),
    "twice": archive(FILE, put("./x", b"1"), bodies=[b"1"]),
    "a file in a file": archive(FILE, put("x/y", b"1"), bodies=[b"1"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_an_archive_that_is_not_what_it_says_is_refused_as_a_whole(attack, name):
    """Nothing is made of any part of it."""
    assert await attack(BODIES[name]) == "invalid_archive"


async def test_a_refused_member_is_named_by_its_kind(client):
    """The client has to know what to leave out."""
    answer = await client.put(URL, content=BODIES["sparse"])
    assert "is a sparse file" in answer.json()["detail"]


@pytest.mark.parametrize("number", [101, 1000])
async def test_a_manifest_of_too_many_lines_is_refused_with_the_bound(client, number):
    """As many files as a workspace may hold."""
    body = archive(*(put(f"f{n}", b"") for n in range(number)), bodies=[b""])
    answer = await client.put(URL, content=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert answer.json()["context"]["limit"] in (100, 100 * 1024)


async def test_a_manifest_that_says_it_is_huge_is_refused_before_it_comes(client):
    """Its header is enough."""
    sent = 0

    async def endless():
        nonlocal sent
        yield header_of(MANIFEST, 7 << 30)
        while sent < 10**8:
            sent += 10_000
            yield b"x" * 10_000

    answer = await client.put(URL, content=endless())
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert sent < 10**6


async def test_a_content_that_is_too_large_is_refused_before_it_comes(client):
    """The bound of what a call may write holds for each file."""
    data = b"x" * 1001
    answer = await client.put(URL, content=archive(put("x", data), bodies=[data]))
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")
    assert answer.json()["context"] == {"limit": 1000, "actual": 1001}
    whole = b"x" * 1000
    answer = await client.put(URL, content=archive(put("x", whole), bodies=[whole]))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("Content-Encoding", "gzip", "unsupported_media_type"),
        ("Content-Encoding", "identity, br", "unsupported_media_type"),
        ("Content-Type", "application/gzip", "unsupported_media_type"),
        ("Content-Type", "application/json", "unsupported_media_type"),
        ("Content-Range", "bytes 0-0/2", "malformed_request"),
    ],
    ids=["gzip", "two-encodings", "packed-type", "json", "range"],
)
async def test_an_archive_that_is_packed_or_a_part_is_refused(attack, header, value, code):
    """Ten gigabytes of zeroes are ten megabytes, packed."""
    assert await attack(archive(FILE, bodies=[b"1"]), **{header: value}) == code


async def test_an_archive_may_say_that_it_is_not_packed(client):
    """That is what every one is."""
    answer = await client.put(
        URL, content=archive(FILE, bodies=[b"1"]), headers={"Content-Encoding": "identity"}
    )
    assert answer.status_code == 200


async def test_a_client_that_goes_away_leaves_nothing_staged(client, data_dir, demo):
    """However much has come: what was received goes with it."""
    contents = [b"%d" % n * 300 for n in range(40)]
    body = archive(*(put(f"f{n}", data) for n, data in enumerate(contents)), bodies=contents)
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def receive():
        if not arrived.is_set():
            arrived.set()
            return {"type": "http.request", "body": body[:-5000], "more_body": True}
        await gone.wait()
        return {"type": "http.disconnect"}

    sent = []

    async def send(message):
        sent.append(message)

    app = client._transport.app
    headers = [(b"authorization", b"Bearer secret"), (b"content-type", b"application/x-tar")]
    scope = {
        "type": "http", "method": "PUT", "path": URL, "raw_path": URL.encode(), "scheme": "http",
        "query_string": b"", "headers": headers, "http_version": "1.1", "root_path": "",
        "server": ("x", 80), "client": ("x", 1), "asgi": {"version": "3.0"},
    }  # fmt: skip
    asking = asyncio.create_task(app(scope, receive, send))
    await arrived.wait()
    gone.set()
    await asking
    async with asyncio.timeout(10):
        while len(staged_in(data_dir)) > 1:  # the process's own directory stays
            await asyncio.sleep(0.01)
    assert list(demo.iterdir()) == []
    assert sent[0]["status"] == 400
