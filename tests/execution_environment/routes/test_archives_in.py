"""Archives that come in: all of it or nothing, once, and nothing of others overwritten."""

import stat

import httpx
import pytest

from execution_environment.app import build
from execution_environment.settings import Settings
from tests.execution_environment.archives.building import archive, files, gone, put
from tests.execution_environment.conftest import sha, staged_in, taken_up, usage_of

URL = "/v1/archives/local/demo"
TAR = {"Content-Type": "application/x-tar"}


@pytest.fixture
async def client(data_dir):
    """A client of the app over the data directory with its canaries."""
    settings = Settings(data_dir=data_dir, service_token="secret", workspace_quota="20000")
    app = build(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer secret", **TAR}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x", headers=headers) as http,
    ):
        yield http
    assert staged_in(data_dir) == []


def tree(demo):
    """Return what is in a workspace: contents by path, None for directories."""
    return {
        path.relative_to(demo).as_posix(): path.read_bytes() if path.is_file() else None
        for path in demo.rglob("*")
    }


def is_executable(path):
    """Tell whether a file's owner may run it."""
    return bool(path.stat().st_mode & stat.S_IXUSR)


def counts(answer):
    """Return what an answer says was created, replaced, deleted and left as it was."""
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return tuple(said[name] for name in ("created", "replaced", "deleted", "unchanged"))


async def test_an_archive_puts_many_files_in_their_places(client, demo, data_dir):
    """Parents are made, one content serves several files, and the quota counts all of it."""
    contents = {"a": b"1", "d/e/f": b"22", "d/g": b"1", "empty": b""}
    answer = await client.put(URL, content=files(contents))
    assert counts(answer) == (4, 0, 0, 0)
    assert tree(demo) == {**contents, "d": None, "d/e": None}
    assert answer.json()["bytes_written"] == 4
    receipts = {item["path"]: item for item in answer.json()["receipts"]}
    assert receipts.keys() == {*contents, "d", "d/e"}
    assert receipts["d/e/f"]["sha256_after"] == sha(b"22")
    assert usage_of(data_dir) == taken_up(data_dir)


async def test_an_archive_makes_its_workspace(client, data_dir):
    """The first change does, as everywhere."""
    answer = await client.put("/v1/archives/new/one", content=files({"a/b": b"1"}))
    assert counts(answer) == (1, 0, 0, 0)
    assert (data_dir / "workspaces/new/one/a/b").read_bytes() == b"1"


async def test_an_archive_replaces_and_deletes_what_is_as_expected(client, demo, data_dir):
    """What holds what the client saw last gives way; what is as wanted is left alone."""
    (demo / "d").mkdir()
    for name, data in {"old": b"1", "d/gone": b"2", "same": b"3", "kept": b"4"}.items():
        (demo / name).write_bytes(data)
    before = (demo / "same").stat().st_ino
    body = archive(
        put("old", b"new", was=b"1"), gone("d/gone", b"2"), gone("never", b"x"),
        put("same", b"3", was=b"other"), bodies=[b"new"],
    )  # fmt: skip
    answer = await client.put(URL, content=body)
    assert counts(answer) == (0, 1, 1, 2)
    assert tree(demo) == {"old": b"new", "d": None, "same": b"3", "kept": b"4"}
    assert (demo / "same").stat().st_ino == before
    replaced = next(item for item in answer.json()["receipts"] if item["path"] == "old")
    assert (replaced["operation"], replaced["sha256_before"]) == ("replace", sha(b"1"))
    assert usage_of(data_dir) == taken_up(data_dir)


async def test_an_archive_that_changes_nothing_says_so(client, demo):
    """No content is needed, there is no list of receipts, and no file is touched."""
    (demo / "a").write_bytes(b"1")
    answer = await client.put(URL, content=archive(put("a", b"1"), gone("b", b"2")))
    assert counts(answer) == (0, 0, 0, 2)
    assert (answer.json()["receipts"], answer.json()["receipts_sha256"]) == ([], None)
    assert counts(await client.put(URL, content=archive())) == (0, 0, 0, 0)


async def test_all_conflicts_of_an_archive_are_told_and_nothing_is_changed(client, demo, outside):
    """One refusal names every path that holds something else than was expected."""
    for name in ("changed", "new", "going"):
        (demo / name).write_bytes(b"theirs")
    (demo / "directory").mkdir()
    (demo / "directory/x").write_bytes(b"")
    (demo / "link").symlink_to(outside)
    (demo / "link2").symlink_to(outside)
    (demo / "file").write_bytes(b"theirs")
    before = tree(demo)
    body = archive(
        put("changed", b"mine", was=b"base"), put("new", b"mine"), put("went", b"m", was=b"base"),
        gone("going", b"base"), put("directory", b"mine"), put("link", b"mine"),
        put("file/below/it", b"mine"), put("fine", b"mine"), gone("link2/canary.txt", b"1"),
        gone("link2/far/below", b"1"), put("link2/below", b"mine"), put("link2/far/off", b"mine"),
        bodies=[b"mine", b"m"],
    )  # fmt: skip
    answer = await client.put(URL, content=body)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (409, "changed_elsewhere"), said
    conflicts = said["context"]["conflicts"]
    found = {item["path"]: (item["type"], item["current_sha256"]) for item in conflicts}
    theirs = sha(b"theirs")
    assert found == {
        "changed": ("file", theirs), "new": ("file", theirs), "went": (None, None),
        "going": ("file", theirs), "directory": ("directory", None), "link": ("other", None),
        "file/below/it": ("other", None), "link2/below": ("other", None),
        "link2/far/off": ("other", None),
    }  # fmt: skip
    assert said["context"]["actual"] == len(found)
    assert (said["outcome"], tree(demo)) == ("not_executed", before)


async def test_force_overrides_files_and_nothing_else(client, demo, outside):
    """A directory with files in it, and a link, belong to somebody."""
    (demo / "changed").write_bytes(b"theirs")
    (demo / "going").write_bytes(b"theirs")
    mine = archive(
        put("changed", b"mine", was=b"base"), put("went", b"mine", was=b"base"),
        gone("going", b"base"), bodies=[b"mine"],
    )  # fmt: skip
    assert (await client.put(URL, content=mine)).status_code == 409
    answer = await client.put(f"{URL}?force=true", content=mine)
    assert counts(answer) == (1, 1, 1, 0)
    assert tree(demo) == {"changed": b"mine", "went": b"mine"}
    (demo / "directory").mkdir()
    (demo / "directory/x").write_bytes(b"")
    (demo / "link").symlink_to(outside)
    before = tree(demo)
    for path in ("directory", "link", "link/x", "changed/x"):
        answer = await client.put(f"{URL}?force=true", content=files({path: b"mine"}))
        assert (answer.status_code, answer.json()["code"]) == (409, "changed_elsewhere"), path
    assert tree(demo) == before


async def test_a_file_becomes_a_directory_and_a_directory_a_file(client, demo, data_dir):
    """What makes room is named as deleted; then both go in one step."""
    (demo / "a").write_bytes(b"1")
    (demo / "d/e").mkdir(parents=True)
    (demo / "d/e/f").write_bytes(b"2")
    (demo / "d/g").write_bytes(b"3")
    body = archive(
        put("a/b", b"4"), gone("a", b"1"), put("a/c/d", b"5"),
        put("d", b"6"), gone("d/e/f", b"2"), gone("d/g", b"3"), bodies=[b"4", b"5", b"6"],
    )  # fmt: skip
    answer = await client.put(URL, content=body)
    assert counts(answer) == (3, 0, 3, 0)
    wanted = {"a": None, "a/b": b"4", "a/c": None, "a/c/d": b"5", "d": b"6"}
    assert tree(demo) == wanted
    assert usage_of(data_dir) == taken_up(data_dir)
    assert counts(await client.put(URL, content=body)) == (0, 0, 0, 6)
    assert tree(demo) == wanted


async def test_a_directory_with_a_file_that_nobody_named_makes_no_room(client, demo):
    """It would go without anybody having seen it; an empty one is nobody's."""
    (demo / "d/e").mkdir(parents=True)
    (demo / "d/f").write_bytes(b"1")
    body = archive(put("d", b"2"), bodies=[b"2"])
    assert (await client.put(f"{URL}?force=true", content=body)).status_code == 409
    (demo / "d/f").unlink()
    assert counts(await client.put(URL, content=body)) == (1, 0, 0, 0)
    assert tree(demo) == {"d": b"2"}


async def test_the_right_to_execute_is_put_right_and_the_rest_of_a_mode_kept(client, demo):
    """It is a change of its own; umasks differ, so nothing else of a mode is compared."""
    body = archive(
        put("run", b"1", mode="0755"), put("read", b"2", mode="0600"), bodies=[b"1", b"2"]
    )
    assert (await client.put(URL, content=body)).status_code == 200
    modes = {name: (demo / name).stat().st_mode & 0o777 for name in ("run", "read")}
    assert modes == {"run": 0o755, "read": 0o644}
    (demo / "read").chmod(0o640)
    again = archive(put("run", b"1", mode="0700"), put("read", b"2", mode="0666"))
    assert counts(await client.put(URL, content=again)) == (0, 0, 0, 2)
    turned = archive(put("run", b"1", was=b"1"), put("read", b"2", was=b"2", mode="0755"))
    answer = await client.put(URL, content=turned)
    assert counts(answer) == (0, 2, 0, 0)
    modes = {name: (demo / name).stat().st_mode & 0o777 for name in ("run", "read")}
    assert modes == {"run": 0o644, "read": 0o750}
    assert (demo / "read").read_bytes() == b"2"
    for receipt in answer.json()["receipts"]:
        assert receipt["sha256_before"] == receipt["sha256_after"] is not None


async def test_contents_that_the_workspace_holds_need_not_come(client, demo):
    """They are copied from whichever file holds them, also where that file goes or changes."""
    for name, data in {"a": b"11", "b": b"222", "c": b"3333"}.items():
        (demo / name).write_bytes(data)
    body = archive(
        put("moved", b"11"), gone("a", b"11"), put("b", b"new", was=b"222"), put("was-b", b"222"),
        put("copy", b"3333"), put("copy2", b"3333"), bodies=[b"new"],
    )  # fmt: skip
    answer = await client.put(URL, content=body)
    assert counts(answer) == (4, 1, 1, 0)
    assert tree(demo) == {
        "moved": b"11", "b": b"new", "was-b": b"222", "c": b"3333", "copy": b"3333", "copy2": b"3333",
    }  # fmt: skip
    assert (demo / "copy").stat().st_ino != (demo / "copy2").stat().st_ino


async def test_contents_that_nobody_holds_are_named_and_may_come_later_under_the_same_key(
    client, demo
):
    """Which contents come is no part of the call: only its manifest is."""
    key = {"Idempotency-Key": "put-1"}
    entries = [put("a", b"1"), put("b", b"2"), put("c", b"3")]
    answer = await client.put(URL, content=archive(*entries, bodies=[b"2"]), headers=key)
    context = answer.json()["context"]
    assert (answer.status_code, answer.json()["code"]) == (409, "content_missing")
    assert (sorted(context["missing"]), context["actual"]) == (sorted([sha(b"1"), sha(b"3")]), 2)
    assert tree(demo) == {}
    whole = archive(*entries, bodies=[b"3", b"2", b"1"])
    assert counts(await client.put(URL, content=whole, headers=key)) == (3, 0, 0, 0)


async def test_an_archive_happens_once_whatever_contents_come_with_it(client, demo):
    """Its retry is answered from what is stored; another manifest, or force, is another call."""
    key = {"Idempotency-Key": "put-1"}
    entries = [put("a", b"1"), put("b", b"2")]
    first = await client.put(URL, content=archive(*entries, bodies=[b"1", b"2"]), headers=key)
    (demo / "a").write_bytes(b"since")
    for bodies in ([b"1", b"2"], [b"2"], []):
        again = await client.put(URL, content=archive(*entries, bodies=bodies), headers=key)
        assert again.json() == {**first.json(), "replayed": True}
    assert tree(demo) == {"a": b"since", "b": b"2"}
    for url, lines in ((f"{URL}?force=true", entries), (URL, entries[:1]), (URL, entries[::-1])):
        other = await client.put(url, content=archive(*lines, bodies=[]), headers=key)
        assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


async def test_a_replayed_archive_is_read_to_its_end(client):
    """An answer before that is lost: the client is still sending."""
    key = {"Idempotency-Key": "put-1"}
    body = files({"a": b"x" * 5000, "b": b"y" * 5000})
    await client.put(URL, content=body, headers=key)
    sent = 0

    async def slices():
        nonlocal sent
        for at in range(0, len(body), 100):
            sent += len(body[at : at + 100])
            yield body[at : at + 100]

    again = await client.put(URL, content=slices(), headers=key)
    assert (again.json()["replayed"], sent) == (True, len(body))


async def test_the_receipts_of_an_archive_come_page_by_page(client, demo):
    """The first with the answer; all of them make up the list whose hash is on record."""
    contents = {f"f{n:03}": b"%d" % n for n in range(130)}
    answer = (await client.put(URL, content=files(contents))).json()
    found, cursor, sizes = list(answer["receipts"]), answer["next_cursor"], []
    while cursor:
        page = await client.get(
            f"{URL}/receipts/{answer['id']}", params={"cursor": cursor, "limit": 20}
        )
        assert page.status_code == 200, page.text
        found, cursor = found + page.json()["items"], page.json()["next_cursor"]
        sizes.append(len(page.json()["items"]))
    assert ([item["path"] for item in found], sizes) == (sorted(contents), [20, 10])
    first = (await client.get(f"{URL}/receipts/{answer['id']}")).json()["items"]
    assert first[:100] == answer["receipts"]


async def test_receipts_are_told_of_archives_of_this_workspace_only(client, demo):
    """Neither another workspace's, nor another tool's, nor what nobody knows."""
    made = (await client.put("/v1/archives/local/demo2", content=files({"a": b"1"}))).json()
    upload = await client.put(
        "/v1/files/local/demo/x", content=b"", headers={"Idempotency-Key": "u"}
    )
    assert upload.status_code == 201
    for call_id in (made["id"], "u", "nobody"):
        answer = await client.get(f"{URL}/receipts/{call_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "path_not_found")
    answer = await client.get(f"/v1/archives/local/demo2/receipts/{made['id']}?cursor=7")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_an_archive_is_on_record_whatever_comes_of_it(client, demo):
    """What was changed is told by counts and the hash of the list."""
    done = (await client.put(URL, content=files({"a": b"1"}))).json()
    await client.put(URL, content=files({"a": b"2"}))
    await client.put(URL, content=b"garbage")
    await client.put(URL, content=b"", headers={"X-Execution-Context": "{"})
    items = (await client.get("/v1/audit")).json()["items"]
    found = [(item["tool"], item["outcome"], item["code"]) for item in items]
    assert found == [
        ("put_archive", "executed", None),
        ("put_archive", "not_executed", "changed_elsewhere"),
        ("put_archive", "not_executed", "invalid_archive"),
        ("put_archive", "not_executed", "malformed_request"),
    ]
    assert items[0]["changes"]["receipts_sha256"] == done["receipts_sha256"]


async def test_a_read_only_context_puts_no_archive(client, demo):
    """It is refused before anything is read."""
    context = (
        '{"request_id":"r1","user_id":"local","timeout":5,"request_source":{"kind":"cli"},'
        '"allowed_paths_root":"local/demo","access":"read_only"}'
    )
    answer = await client.put(
        URL, content=files({"a": b"1"}), headers={"X-Execution-Context": context}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert tree(demo) == {}


async def test_an_archive_is_held_to_the_quota_by_what_it_leaves(client, demo, data_dir):
    """What it replaces and deletes makes room, while it comes as well as in the end."""
    old = {"a": b"1" * 9_000, "b": b"2" * 9_000}
    assert (await client.put(URL, content=files(old))).status_code == 200
    more = await client.put(URL, content=files({"c": b"3" * 3_000}))
    assert (more.status_code, more.json()["code"]) == (507, "quota_exceeded")
    assert tree(demo) == old
    body = archive(
        put("a", b"4" * 9_500, was=old["a"]), gone("b", old["b"]), put("c", b"5" * 9_500),
        bodies=[b"4" * 9_500, b"5" * 9_500],
    )  # fmt: skip
    assert counts(await client.put(URL, content=body)) == (1, 1, 1, 0)
    assert usage_of(data_dir) == taken_up(data_dir) == (19_000, 2)
    copies = archive(*(put(f"copy{n}", b"5" * 9_500) for n in range(3)))
    full = await client.put(URL, content=copies)
    assert (full.status_code, full.json()["code"]) == (507, "quota_exceeded")
    flipped = archive(put("a", b"4" * 9_500, was=b"4" * 9_500, mode="0755"))
    assert counts(await client.put(URL, content=flipped)) == (0, 1, 0, 0)
    assert usage_of(data_dir) == taken_up(data_dir) == (19_000, 2)


async def test_an_error_names_the_first_thousand_and_counts_them_all(client, demo):
    """A push of a whole tree to the wrong workspace is not answered with megabytes."""
    numbers = range(1001)
    entries = [put(f"f{n:04}", b"%d" % n) for n in numbers]
    missing = (await client.put(URL, content=archive(*entries))).json()
    assert (missing["code"], missing["context"]["actual"]) == ("content_missing", 1001)
    assert len(missing["context"]["missing"]) == 1000
    entries = [put(f"f{n:04}", b"%d" % n, was=b"x") for n in numbers]
    changed = (await client.put(URL, content=archive(*entries))).json()
    assert (changed["code"], changed["context"]["actual"]) == ("changed_elsewhere", 1001)
    found = [item["path"] for item in changed["context"]["conflicts"]]
    assert found == [entry["path"] for entry in entries[:1000]]
