"""The second wall: a process behind it can do its work, and nothing to any other file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from execution_environment.sandbox import landlock
from execution_environment.sandbox.self_test import SandboxUnavailable

CHILD = """
import errno, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from execution_environment.sandbox import landlock

data, outside, abi = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if abi >= landlock.MIN_ABI:
    landlock.restrict(data, landlock.interpreter_paths(), abi)

def outcome(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def inside():
    staging, work = data / "state" / "staging", data / "workspaces" / "w"
    staging.mkdir(parents=True); work.mkdir(parents=True)
    (staging / "f").write_text("1"); os.rename(staging / "f", work / "f")
    os.truncate(work / "f", 0); os.rename(work, staging / "w"); (staging / "w" / "f").unlink()
    (staging / "w").rmdir()

def lazily():
    "x".encode("utf-7"); import sqlite3, zoneinfo, xml.dom.minidom

print("inside", outcome(inside))
print("thread", ThreadPoolExecutor(1).submit(outcome, (outside / "canary").read_bytes).result())
print("lazily", outcome(lazily))
print("read", outcome((outside / "canary").read_bytes))
print("write", outcome(lambda: (outside / "canary").write_text("x")))
print("create", outcome(lambda: (outside / "new").write_text("x")))
print("list", outcome(lambda: os.listdir(outside)))
print("remove", outcome((outside / "canary").unlink))
(data / "mine").write_text("mine")
print("move out", outcome(lambda: os.rename(data / "mine", outside / "mine")))
print("move in", outcome(lambda: os.rename(outside / "canary", data / "canary")))
print("link in", outcome(lambda: os.link(outside / "canary", data / "linked")))
os.symlink(outside / "canary", data / "symlink")
print("through a link", outcome((data / "symlink").read_bytes))
child = os.fork()
if child == 0:
    os._exit(0 if outcome((outside / "second").read_bytes) == "done" else 7)
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
ATTACKS = ("thread", "read", "write", "create", "list", "remove", "move out", "move in", "link in",
           "through a link")  # fmt: skip


@pytest.fixture
def behind(tmp_path):
    """Run the child behind the wall that an ABI gives; return what it could do."""

    def run(abi):
        data, outside = tmp_path / f"data{abi}", tmp_path / f"outside{abi}"
        data.mkdir()
        outside.mkdir()
        (outside / "canary").write_text("canary")
        (outside / "second").write_text("canary")
        command = [sys.executable, "-c", CHILD, data, outside, str(abi)]
        root = str(Path(__file__).parents[2])
        ended = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60, cwd=data,
            env={**_without_coverage(), "PYTHONPATH": root},
        )  # fmt: skip
        lines = (line.rpartition(" ") for line in ended.stdout.splitlines())
        return {what: outcome for what, _, outcome in lines}

    return run


def _without_coverage():
    """The child may write nowhere, so what it covers cannot be noted."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def test_nothing_outside_can_be_touched(behind):
    """On a kernel with Landlock; on one without, it is plain that nothing stands in the way."""
    abi = landlock.supported_abi()
    outcomes = behind(abi)
    assert (outcomes["inside"], outcomes["lazily"]) == ("done", "done")
    if abi < landlock.MIN_ABI:
        assert outcomes["read"] == "done"
    else:
        assert {outcomes[attack] for attack in ATTACKS} <= {"EACCES", "EXDEV"}
        assert outcomes["child"] == "7"


def test_without_the_wall_the_same_child_can_do_all_of_it(behind):
    """The control."""
    outcomes = behind(0)
    assert (outcomes["read"], outcomes["create"], outcomes["child"]) == ("done", "done", "0")


def test_a_wall_that_cannot_be_built_is_told():
    """Such as on a kernel that has it switched off: no silent half."""
    with pytest.raises(SandboxUnavailable, match="Landlock cannot be used"):
        landlock._call(landlock._ADD_RULE, -1, 1, 0, 0)
