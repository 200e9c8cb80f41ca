"""The data directory: the workspaces, and beside them the state that no path can reach."""

import errno
import os
from pathlib import Path

from common.files.paths import parse
from execution_environment.sandbox.descriptors import ANY, DIRECTORY, opened
from execution_environment.sandbox.limits import CallLimits, Usage
from execution_environment.sandbox.renames import Renamer
from execution_environment.sandbox.self_test import prove
from execution_environment.sandbox.staging import Staging
from execution_environment.sandbox.walking import measure

PROBE = 64 * 1024
"""Bytes that a probe writes."""


class Sandbox:
    """Holds the one descriptor from which every path is resolved, opened once and never again."""

    def __init__(self, data_dir: Path) -> None:
        """Open the data directory; raise SandboxUnavailable when it cannot hold the sandbox."""
        state = data_dir / "state"
        for directory in (data_dir / "workspaces", state):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        prove(state)
        self._root = os.open(data_dir / "workspaces", DIRECTORY | os.O_CLOEXEC)
        self._staging = Staging(state / "staging")
        self.renamer = Renamer(self._root, self._staging)

    def measure(self, allowed_paths_root: str, limits: CallLimits) -> Usage:
        """Return what a whole workspace takes up; one that is not made yet is empty."""
        try:
            found = measure(self._root, parse(allowed_paths_root), (), limits)
        except FileNotFoundError:
            return Usage(0, 0)
        return Usage(found.size, found.entries - 1)

    def has(self, allowed_paths_root: str) -> bool:
        """Tell whether anything is where a workspace would be."""
        try:
            with opened(self._root, parse(allowed_paths_root), ANY):
                return True
        except OSError as error:
            return error.errno not in (errno.ENOENT, errno.ENOTDIR)

    def probe(self) -> None:
        """Write and remove a staged file: raises OSError while the data directory is unusable.

        It is as long as the records of a few calls: with less room than that no call gets through.
        """
        self._staging.discard(self._staging.add_file([bytes(PROBE)], 0o600))

    def close(self) -> None:
        """Give back the descriptors and the staging directory."""
        self._staging.close()
        os.close(self._root)
