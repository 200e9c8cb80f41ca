"""copy_path: files and whole trees; links and specials stay where they are."""

import os
import socket
import stat

import pytest

from tests.execution_environment.conftest import refusal, sha


async def test_copy_path_leaves_out_links_and_specials_and_lists_them_as_skipped(
    call, demo, outside
):
    """Whoever relies on the copy has to know what is not in it; nothing is read through a link."""
    (demo / "tree" / "sub").mkdir(parents=True)
    (demo / "tree" / "sub" / "file").write_text("inside")
    (demo / "tree" / "link").symlink_to("sub/file")
    (demo / "tree" / "sub" / "out").symlink_to(outside)
    os.mkfifo(demo / "tree" / "sub" / "fifo")
    directory = os.open(demo / "tree", os.O_PATH)  # the whole path may be too long for a name
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{directory}/socket")
    os.close(directory)
    result = await call("copy_path", source="tree", destination="copy")
    assert sorted(result.output["skipped"]) == [
        "tree/link", "tree/socket", "tree/sub/fifo", "tree/sub/out",
    ]  # fmt: skip
    copied = sorted(str(path.relative_to(demo)) for path in (demo / "copy").rglob("*"))
    assert copied == ["copy/sub", "copy/sub/file"]
    assert (await call("copy_path", source="copy", destination="again")).output["skipped"] == []


async def test_copy_path_of_a_link_or_a_special_itself_is_refused(call, demo):
    """There is nothing else to be copied."""
    (demo / "file").write_text("1")
    (demo / "link").symlink_to("file")
    os.mkfifo(demo / "fifo")
    codes = [
        (await refusal(call("copy_path", source=source, destination="copy"))).code
        for source in ("link", "fifo")
    ]
    assert codes == ["path_not_allowed", "unsupported_file"]
    assert not (demo / "copy").exists()


async def test_copy_path_keeps_modes_and_the_source(call, demo):
    """Of a file and of what lies in a tree."""
    (demo / "tree").mkdir()
    (demo / "tree" / "run.sh").write_text("echo\n")
    (demo / "tree" / "run.sh").chmod(0o755)
    [of_file] = (
        await call("copy_path", source="tree/run.sh", destination="run.sh")
    ).receipts  # fmt: skip
    assert (of_file.operation, of_file.sha256_after) == ("copy", sha(b"echo\n"))
    await call("copy_path", source="tree", destination="copy")
    for path in ("run.sh", "copy/run.sh", "tree/run.sh"):
        assert (demo / path).read_text() == "echo\n"
        assert stat.S_IMODE((demo / path).stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"source": "file", "destination": "other"}, "already_exists"),
        ({"source": "tree", "destination": "other", "overwrite": True}, "not_a_file"),
        ({"source": "file", "destination": "tree", "overwrite": True}, "not_a_file"),
        ({"source": "tree", "destination": "tree/below"}, "invalid_arguments"),
        ({"source": "nope", "destination": "new"}, "path_not_found"),
    ],
)
async def test_copy_path_replaces_a_file_by_a_file_and_only_when_asked_to(
    call, demo, arguments, code
):
    """A directory is never replaced, nor copied into itself."""
    for name in ("file", "other"):
        (demo / name).write_text(name)
    (demo / "tree").mkdir()
    assert (await refusal(call("copy_path", **arguments))).code == code
    assert (demo / "other").read_text() == "other"
    await call("copy_path", source="file", destination="other", overwrite=True)
    assert (demo / "other").read_text() == "file"
