"""Whole files that come into a workspace, or go out of it, piece by piece."""

import os

from execution_environment.sandbox.descriptors import READ, open_beneath, require_file
from execution_environment.sandbox.paths import parse, show_path
from execution_environment.sandbox.renames import Guard, Place
from execution_environment.workspace.file_writer import Writer
from execution_environment.workspace.receipts import FILE_MODE, receipt_of_file
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.streams import Incoming, Outgoing


class Transfers(Writer):
    """Adds to a workspace what the file routes need."""

    def receive(self) -> Incoming:
        """Begin to take in a file; `put_received` stages its place."""
        self._received = Incoming(self._staging, self.bounds)
        return self._received

    def put_received(self, path: str, incoming: Incoming, before: Snapshot | None) -> None:
        """Stage the place of what has come in; `before` is what it replaces."""
        parts = self._planned(path)
        full = self._paths.full(parts)
        mode = FILE_MODE if before is None else before.mode
        self.bounds.meter.add(incoming.size - (0 if before is None else before.size))
        with self._paths.errors_of(parts):
            incoming.set_mode(mode)
            are_new = before is None and self._make_parents(parts)
            if before is None:
                self._count_new(full, len(full) - 1)
            source = Place(leaf=incoming.name, process=self._staging.process)
            self.changes.rename(source, self._place(parts), replaces=before is not None)
        if not are_new:
            expected = None if before is None else before.identity
            self.changes.guards.append(Guard(self._place(parts), expected))
        self.changes.receipts.append(
            receipt_of_file(show_path(parts), incoming.sha256, incoming.size, mode, before)
        )

    def open_file(self, path: str) -> Outgoing:
        """Open a regular file, to be sent piece by piece; the caller closes it."""
        parts = parse(path)
        with self._paths.errors_of(parts):
            descriptor = open_beneath(self._paths.root, self._paths.full(parts), READ)
        status = os.fstat(descriptor)
        outgoing = Outgoing(descriptor, status, self.bounds)
        try:
            require_file(status, path)
        except BaseException:
            outgoing.close()
            raise
        return outgoing
