"""The second wall: a process behind it can do its work, and nothing to any other file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from execution_environment.sandbox import landlock

ROOT = str(Path(__file__).parents[3])
# Started as the service is, by -m and from the directory that it must not reach: -m puts that on
# sys.path. A spawned process doesn't run a __main__ again.
CHILD = """
import errno, json, multiprocessing, os, shutil, socket, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from execution_environment.sandbox import landlock
from execution_environment.searching.searchers import Searchers

data, outside = Path(sys.argv[1]), Path(sys.argv[2])
abi = None if sys.argv[3] == "kernel" else int(sys.argv[3])
staging, work, program = data / "state" / "staging", data / "workspaces" / "w", data / "program"

def put(path, by=os.O_WRONLY):
    os.close(os.open(path, by))

def lazily():
    assert "encodings.utf_7" not in sys.modules and "xml.dom.minidom" not in sys.modules
    "x".encode("utf-7"); import sqlite3, ssl, uvloop, zoneinfo, xml.dom.minidom

def forth_and_back():
    os.rename(staging / "f", work / "f"); os.rename(work, staging / "w")
    os.rename(staging / "w", data / "workspaces" / "w")

def search():
    (work / "s").write_text("found")
    request = {"pattern": "f", "literal": False, "ignore_case": False, "context": 0,
               "limit": 1, "max_shown": 9, "max_read": 9}
    searchers = Searchers(1)
    with (work / "s").open() as file:
        [answer] = searchers.search("ann", request, [file.fileno()], lambda: None)
    searchers.close()
    assert answer["total"] == 1

WORK = {
    "make": lambda: (staging.mkdir(parents=True), work.mkdir(parents=True)),
    "write": lambda: (staging / "f").write_text("12"),
    "rename": forth_and_back,
    "truncate": lambda: os.truncate(work / "f", 1),
    "read in a thread": lambda: ThreadPoolExecutor(1).submit((work / "f").read_text).result(),
    "link": lambda: os.link(work / "f", staging / "g"),
    "search": search,
    "unlink": lambda: ((work / "f").unlink(), (work / "s").unlink(), work.rmdir()),
    "import": lazily,
    "resolve": lambda: socket.getaddrinfo("localhost", 80),
    "start": lambda: subprocess.run([sys.executable, "-c", ""], check=True, stdout=subprocess.DEVNULL),
}
ATTACKS = {
    "read": lambda v: v.read_bytes(),
    "read in a thread": lambda v: ThreadPoolExecutor(1).submit(v.read_bytes).result(),
    "write": put,
    "truncate": lambda v: os.truncate(v, 0),
    "create": lambda v: put(v.with_suffix(".new"), os.O_WRONLY | os.O_CREAT),
    "make a directory": lambda v: v.with_suffix(".new").mkdir(),
    "list": lambda v: os.listdir(v.parent),
    "remove": os.unlink,
    "move out": lambda v: os.rename(data / "mine", v),
    "move in": lambda v: os.rename(v, data / "moved"),
    "link out": lambda v: os.link(data / "kept", v.with_suffix(".new")),
    "link in": lambda v: os.link(v, data / "linked"),
    "through a link": lambda v: (os.symlink(v, data / "link"), (data / "link").read_bytes()),
    "run what was written": lambda v: subprocess.run([program], check=True),
    "show the secrets": lambda v: Path("/proc/self/environ").read_bytes(),
}

def outcome(do, *arguments):
    try:
        do(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def spawned(do):
    process = multiprocessing.get_context("spawn").Process(target=do)
    process.start(); process.join()
    return process.exitcode

for name in ("mine", "kept"):
    (data / name).write_text("mine")
for attack in ATTACKS:
    (outside / attack).write_text("canary")
program.write_text("#!/bin/sh\\nexit 0\\n"); program.chmod(0o700)
enforced = landlock.restrict(data, landlock.interpreter_paths(), abi)
work_done = {name: outcome(do) for name, do in WORK.items()}
print(json.dumps({
    "abi": enforced,
    "work": work_done,
    "attacks": {name: outcome(do, outside / name) for name, do in ATTACKS.items()},
    "spawned": [spawned((data / "kept").read_bytes), spawned((outside / "read").read_bytes)],
}))
"""


@pytest.fixture
def behind(tmp_path):
    """Run the child behind the wall of an ABI, or of the kernel's own; return what it could do."""

    def run(abi):
        data, outside = tmp_path / "data", tmp_path / "outside"
        data.mkdir()
        (outside / "child").mkdir(parents=True)
        (outside / "child" / "__main__.py").write_text(CHILD)
        return json.loads(python("-m", "child", data, outside, str(abi), cwd=outside).stdout)

    return run


def python(*arguments, cwd, path=ROOT, check=True):
    """Run a process of its own: the wall would hold that of the tests for good."""
    # the child may write nowhere else, so what it covers cannot be noted
    env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=check, timeout=60,
        cwd=cwd, env={**env, "PYTHONPATH": path},
    )  # fmt: skip


def assert_open(told):
    """Nothing was in the way: this is what makes a refusal elsewhere mean something."""
    assert told["abi"] is None
    assert {*told["work"].values(), *told["attacks"].values()} == {"done"}, told
    assert told["spawned"] == [0, 0]


def assert_walled(told, abi):
    """All work was done, and no attack; cutting a file short by name is refused since ABI 3."""
    assert told["abi"] == abi
    assert set(told["work"].values()) == {"done"}, told
    done = {attack for attack, outcome in told["attacks"].items() if outcome == "done"}
    assert done == ({"truncate"} if abi < 3 else set())
    assert set(told["attacks"].values()) <= {"done", "EACCES", "EXDEV"}, told
    assert told["spawned"] == [0, 1]


def test_landlock_lets_nothing_outside_be_touched(behind):
    """On a kernel with Landlock; on one without, it is plain that nothing stands in the way."""
    abi = landlock.supported_abi()
    told = behind("kernel")
    if abi < landlock.MIN_ABI:
        assert_open(told)
    else:
        assert_walled(told, abi)


@pytest.mark.parametrize("newest", [2, 3, 5])
def test_landlock_of_an_older_kernel_holds_what_it_knows(behind, newest):
    """A right that the kernel doesn't know is refused by it, and the service would not start."""
    abi = min(newest, landlock.supported_abi())
    told = behind(abi)
    if abi < landlock.MIN_ABI:
        assert_open(told)
    else:
        assert_walled(told, abi)


@pytest.mark.parametrize("abi", [0, 1])
def test_without_landlock_the_same_child_can_do_all_of_it(behind, abi):
    """The control. ABI 1 is no wall for us: without REFER no rename from staging would work."""
    assert_open(behind(abi))


def test_landlock_never_lets_the_root_directory_be_read(tmp_path):
    """Were "/" on sys.path, the list would name all there is, and the wall would hold nothing."""
    code = "from execution_environment.sandbox import landlock; print(landlock.interpreter_paths())"
    told = python("-c", code, cwd=tmp_path, path=f"{ROOT}{os.pathsep}/").stdout
    assert "Path('/usr')" in told
    assert "Path('/')" not in told


def test_a_landlock_that_cannot_be_enforced_is_told(tmp_path):
    """No silent half: here the data directory is missing, or the kernel has not what was said."""
    code = "; ".join((
        "import sys; from pathlib import Path; from execution_environment.sandbox import landlock",
        "landlock.restrict(Path(sys.argv[1]), [], landlock.MIN_ABI)",
    ))  # fmt: skip
    ended = python("-c", code, tmp_path / "missing", cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert "SandboxUnavailable: Landlock 2 cannot be used:" in ended.stderr
