"""Every attack on every tool: no canary comes out, nothing outside changes, no error is a 500."""

import os
import socket
import stat

import pytest

from common.errors import AgenticError, SystemFault
from tests.execution_environment.conftest import CANARY, digest_outside

EDITS = [{"old_text": "a", "new_text": "b"}]
PATCH = "--- {}\n+++ {}\n@@ -{} +1 @@\n+pwned\n"
RENAME = "diff --git a/x b/x\nrename from {}\nrename to {}\n"
OPERATIONS = {
    "list_directory": lambda path: {"path": path},
    "read_file": lambda path: {"path": path},
    "read_files": lambda path: {"paths": [path]},
    "write_file": lambda path: {"path": path, "content": "pwned", "mode": "upsert"},
    "append_file": lambda path: {"path": path, "content": "pwned"},
    "edit_file": lambda path: {"path": path, "edits": EDITS},
    "search_files": lambda path: {"path": path, "pattern": "."},
    "find_files": lambda path: {"path": path, "glob": "*"},
    "get_file_info": lambda path: {"path": path},
    "create_directory": lambda path: {"path": path},
    "delete_path": lambda path: {"path": path},
    "delete_path, recursive": lambda path: {"path": path, "recursive": True},
    "move_path, from": lambda path: {"source": path, "destination": "new"},
    "move_path, to": lambda path: {"source": "file.txt", "destination": path},
    "move_path, over": lambda path: {"source": "file.txt", "destination": path, "overwrite": True},
    "copy_path, from": lambda path: {"source": path, "destination": "new"},
    "copy_path, to": lambda path: {"source": "file.txt", "destination": path},
    "copy_path, over": lambda path: {"source": "file.txt", "destination": path, "overwrite": True},
    "apply_patch, create": lambda path: {"patch": PATCH.format("/dev/null", f"b/{path}", "0,0")},
    "apply_patch, change": lambda path: {"patch": PATCH.format(f"a/{path}", f"b/{path}", "1,0")},
    "apply_patch, rename": lambda path: {"patch": RENAME.format("file.txt", path)},
    "apply_patch, take": lambda path: {"patch": RENAME.format(path, "new")},
}
REMOVABLE = {
    "link", "link to a directory", "link with a slash", "dangling link", "loop", "fifo", "socket",
    "device",
}  # fmt: skip
"""What may be deleted: the entry itself goes, and nothing that it leads to."""
REFUSED = {
    "parent": "../canary.txt",
    "parent in the middle": "sub/../../canary.txt",
    "parent at the end": "sub/..",
    "absolute": "{outside}/canary.txt",
    "prefix sibling": "../demo2/canary.txt",
    "link": "link.txt",
    "link to a directory": "link",
    "through a link": "link/canary.txt",
    "through a link, new": "link/new.txt",
    "link with a slash": "link/",
    "relative link": "relative/canary.txt",
    "dangling link": "dangling",
    "through a dangling link": "dangling/new.txt",
    "loop": "loop",
    "chain": "chain/canary.txt",
    "magic link": "proc_root/etc/passwd",
    "fifo": "fifo",
    "socket": "socket",
    "device": "device",
    "NUL": "sub\0/../canary.txt",
    "escaped NUL": "sub\\x00x",
    "escaped parent": "\\x2e\\x2e/canary.txt",
    "escaped slash": "..\\x2fcanary.txt",
    "surrogate": "\ud800",
    "empty": "",
    "overlong name": "x" * 256,
    "overlong path": "x/" * 2100 + "x",
    "file as a directory": "file.txt/x",
}


@pytest.fixture
def traps(demo, outside):
    """Everything in the workspace that leads out of it, or hangs."""
    (demo / "sub").mkdir()
    (demo / "file.txt").write_text("nothing to see")
    (demo / "link").symlink_to(outside)
    (demo / "link.txt").symlink_to(outside / "canary.txt")
    (demo / "relative").symlink_to("../../../../outside")
    (demo / "dangling").symlink_to(outside / "not-there")
    (demo / "loop").symlink_to("loop")
    (demo / "chain").symlink_to("link")
    (demo / "proc_root").symlink_to("/proc/self/root")
    os.mkfifo(demo / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        directory = os.open(demo, os.O_PATH)  # the whole path may be too long for a socket's name
        server.bind(f"/proc/self/fd/{directory}/socket")
        os.close(directory)
    _make_device(demo / "device")


def _make_device(path):
    """A character device where we may make one, else another FIFO."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        os.mkfifo(path)


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("attack", REFUSED)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_no_path_leads_out(
    call, tmp_path, demo, outside, open_descriptors, operation, attack
):
    """The oracle: canaries stay unseen, the outside digest and our descriptors stay the same."""
    tool = operation.partition(",")[0]
    before, descriptors = digest_outside(tmp_path, demo), open_descriptors()
    path = REFUSED[attack].format(outside=outside)
    try:
        result = await call(tool, **OPERATIONS[operation](path))
        seen = str(result)
        assert _is_harmless(tool, attack, result.output), f"not refused: {seen}"
    except AgenticError as error:
        assert not isinstance(error, SystemFault)
        problem = error.problem("execution_environment", None)
        seen = problem.model_dump_json() if attack != "surrogate" else str(problem)
    hidden = seen.replace(path, "") if attack == "absolute" else seen
    assert str(tmp_path) not in hidden
    assert CANARY not in seen
    assert digest_outside(tmp_path, demo) == before
    assert open_descriptors() == descriptors


def _is_harmless(tool, attack, output):
    """Tell whether a call that succeeded did so rightly."""
    if tool == "read_files":
        return all("error" in item for item in output["files"])
    # In a patch a backslash is a backslash: the attack names a file inside.
    return (tool == "delete_path" and attack in REMOVABLE) or (
        tool == "apply_patch" and attack.startswith("escaped")
    )


@pytest.mark.usefixtures("traps")
async def test_a_walk_of_a_workspace_goes_past_the_traps(call):
    """A search over the whole workspace sees the one real file."""
    result = await call("search_files", pattern=".")
    assert {match["path"] for match in result.output["matches"]} == {"file.txt"}
    listing = (await call("list_directory", depth=100)).model_dump_json()
    assert CANARY not in listing
    assert "canary" not in listing


async def test_the_longest_name_there_is_can_be_used(call, demo):
    """255 bytes are a name, 256 are not."""
    name = "ü" * 127 + "x"
    await call("write_file", path=f"{name}/{name}", content="1")
    assert (demo / name / name).read_text() == "1"


async def test_names_are_not_normalised(call, demo):
    """Composed and decomposed forms are two files to the kernel."""
    await call("write_file", path="\u00e9", content="composed")
    await call("write_file", path="e\u0301", content="decomposed")
    assert len(list(demo.iterdir())) == 2


async def test_a_workspace_that_is_a_link_is_refused(call, data_dir, outside):
    """The context's root is resolved beneath the descriptor like everything else."""
    (data_dir / "workspaces/local/linked").symlink_to(outside)
    for operation in ("read_file", "write_file", "delete_path"):
        arguments = OPERATIONS[operation]("canary.txt")
        with pytest.raises(AgenticError) as caught:
            await call(operation, {"allowed_paths_root": "local/linked"}, **arguments)
        assert caught.value.code in ("path_not_allowed", "not_a_directory")
