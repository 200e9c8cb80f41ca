"""What tools write: files and directories, staged until the call commits."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from common.errors import ToolError
from common.files.paths import show_path
from execution_environment.sandbox.descriptors import chunks
from execution_environment.sandbox.limits import CallLimits
from execution_environment.workspace.metered import MeteredStream
from execution_environment.workspace.receipts import (
    FILE_MODE,
    receipt_of_directory,
    receipt_of_file,
)
from execution_environment.workspace.root import WorkspaceRoot
from execution_environment.workspace.snapshots import Snapshot
from execution_environment.workspace.staged_change import StagedChange
from execution_environment.workspace.streams import IncomingFile


@dataclass(frozen=True)
class FileWriter:
    """Stages content. `before` is always what the content replaces, None for nothing.

    Paths are as clients write them.
    """

    root: WorkspaceRoot
    change: StagedChange
    limits: CallLimits

    def put(
        self,
        path: str,
        data: bytes,
        before: Snapshot | None,
        *,
        create_parents: bool = True,
        mode: int = FILE_MODE,
    ) -> None:
        """Stage a file's new content, unless it has it already; `mode` is a new file's."""
        if len(data) > self.limits.max_write:
            raise ToolError(
                "file_too_large",
                f"'{path}' would be larger than {self.limits.max_write} bytes",
                path=path,
                limit=self.limits.max_write,
                actual=len(data),
            )
        if before is None or before.sha256 != hashlib.sha256(data).hexdigest():
            self.put_stream(path, [data], before, create_parents=create_parents, mode=mode)

    def put_stream(
        self,
        path: str,
        content: Iterable[bytes],
        before: Snapshot | None,
        *,
        create_parents: bool = True,
        mode: int = FILE_MODE,
    ) -> None:
        """Stage a file's new content piece by piece, of any size that the quota has room for."""
        parts = self.change.plan(path)
        mode = mode if before is None else before.mode
        size, replaced = (0, None) if before is None else (before.size, before.identity)
        stream = MeteredStream(content, self.limits, self.change.meter, size)
        with self.root.errors_of(parts):
            self.change.put_file(parts, stream, mode, replaced, create_parents=create_parents)
        self.change.add_receipts(
            receipt_of_file(show_path(parts), stream.sha256, stream.size, mode, before)
        )

    def append(self, path: str, data: bytes, before: Snapshot) -> None:
        """Stage a file's content with more at its end; `before` is the file as it was read."""
        with self.root.opened_file(path) as (descriptor, _):
            self.put_stream(path, chain(chunks(descriptor, self.limits), [data]), before)

    def put_directory(self, path: str) -> None:
        """Stage a new directory, and the missing ones that lead to it."""
        parts = self.change.plan(path)
        with self.root.errors_of(parts):
            self.change.put_directories(parts)
        self.change.add_receipts(receipt_of_directory(show_path(parts)))

    def put_upload(self, path: str, upload: IncomingFile, before: Snapshot | None) -> None:
        """Stage the place of an upload, which `StagedChange.receive` has begun."""
        parts = self.change.plan(path)
        mode = FILE_MODE if before is None else before.mode
        self.change.meter.add(upload.size - (0 if before is None else before.size))
        with self.root.errors_of(parts):
            replaced = None if before is None else before.identity
            self.change.put_received(parts, upload, mode, replaced)
        self.change.add_receipts(
            receipt_of_file(show_path(parts), upload.sha256, upload.size, mode, before)
        )
