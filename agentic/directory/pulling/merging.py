"""Three-way merges of texts, by `git merge-file` on temporary files outside the directory."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agentic.directory.ignoring.listing import found_git
from agentic.directory.kept.blobs import MAX_SIZE, Blobs
from agentic.directory.pulling.looking import content_of
from agentic.directory.pulling.planning import Merge, Plan, PullConflict, Step
from agentic.directory.pulling.staging import Staging
from agentic.directory.root import Root
from agentic.directory.state import LocalFile

TIMEOUT = 60.0
"""Seconds that one merge may take."""
MAX_CONFLICTS = 127
"""What git's exit status counts up to; what is above is an error."""


class Merged(NamedTuple):
    """What both changes come to."""

    content: bytes
    conflicts: int
    """Places that are marked, for a person to decide on."""


Merger = Callable[[bytes, bytes, bytes], Merged | None]
"""Takes mine, base and theirs."""


def merge(mine: bytes, base: bytes, theirs: bytes) -> Merged | None:
    """Return the merged text; None where it cannot be: no git here, or one is not a text."""
    if not all(map(is_text, (mine, base, theirs))):
        return None
    with tempfile.TemporaryDirectory(prefix="agentic-merge-") as directory:
        for name, content in (("mine", mine), ("base", base), ("theirs", theirs)):
            (Path(directory) / name).write_bytes(content)
        # beside no repository: neither its settings nor its attributes have a say
        labels = ["-L", "mine", "-L", "last synced", "-L", "workspace"]
        return _run(["merge-file", "-p", "-q", *labels, "mine", "base", "theirs"], directory)


def _run(arguments: list[str], directory: str) -> Merged | None:
    environment = {"PATH": "", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "HOME": directory}
    environment |= {
        "XDG_CONFIG_HOME": directory,
        "GIT_CEILING_DIRECTORIES": os.path.dirname(directory),
    }
    try:
        done = subprocess.run(
            [found_git(), *arguments],
            cwd=directory,
            env=environment,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if not 0 <= done.returncode <= MAX_CONFLICTS:
        return None
    return Merged(done.stdout, done.returncode)


def is_text(content: bytes) -> bool:
    """Tell whether a content is a text that can be merged: as large as a base that is kept."""
    if b"\0" in content or len(content) > MAX_SIZE:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def merge_all(
    plan: Plan, root: Root, blobs: Blobs, staging: Staging, merger: Merger = merge
) -> list[str]:
    """Turn a plan's merges into steps; what cannot be merged becomes a conflict.

    Returns the paths of those in which places are marked for a person to decide on.
    """
    marked = []
    for one in plan.merges:
        merged = _merged(one, root, blobs, staging, merger)
        if merged is None:
            plan.conflicts.append(PullConflict(one.path, "both_changed"))
            continue
        file = LocalFile(staging.put(merged.content), len(merged.content), one.is_executable)
        plan.steps.append(Step(one.path, one.mine, file))
        if merged.conflicts:
            marked.append(one.path)
    staging.settle()
    return marked


def _merged(
    one: Merge, root: Root, blobs: Blobs, staging: Staging, merger: Merger
) -> Merged | None:
    base = blobs.find(one.base.sha256)
    mine = content_of(root, one.path, MAX_SIZE)
    if base is None or hashlib.sha256(mine).hexdigest() != one.mine.sha256:
        return None
    return merger(mine, base, b"".join(staging.read(one.theirs.sha256)))
