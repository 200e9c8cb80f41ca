"""What the changing tools share: decoding content, refusing what has changed, showing the change."""

import base64
import binascii
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from common.errors import ToolError
from common.tools import FOR_PROGRAMS
from execution_environment.toolkit import diffs
from execution_environment.workspace.snapshots import Snapshot

Encoding = Literal["utf-8", "base64"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Expected = Annotated[Sha256 | None, Field(json_schema_extra={FOR_PROGRAMS: True})]
"""The hash that a file should still have. Models are not shown hashes, and would invent some."""


def decode_content(content: str, encoding: Encoding) -> bytes:
    """Return the bytes to write; raise `invalid_arguments` for what is not base64."""
    if encoding == "utf-8":
        return content.encode()
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ToolError("invalid_arguments", "content is not valid base64") from error


def require_unchanged(path: str, before: Snapshot | None, expected: str | None) -> None:
    """Raise `hash_mismatch`, with the current hash, unless the file is the expected one."""
    current = None if before is None else before.sha256
    if expected is not None and current != expected:
        raise ToolError(
            "hash_mismatch",
            f"'{path}' does not exist" if current is None else f"'{path}' has another content",
            path=path,
            current_sha256=current,
        )


def diff_of(
    path: str, before: Snapshot | None, after: bytes | None, old_path: str | None = None
) -> str:
    """Return the change as a unified diff; empty when no line changes."""
    if before is None:
        return diffs.diff(path, None, after)
    if before.data is None:
        return diffs.too_long(path)
    return diffs.diff(path, before.data, after, old_path)


def diff_of_append(path: str, before: Snapshot | None, data: bytes) -> str:
    """Return what is appended as a unified diff."""
    if before is None:
        return diff_of(path, None, data)
    return diff_of(path, before, b"" if before.data is None else before.data + data)
