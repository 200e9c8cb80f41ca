"""get_file_info: what there is to know of one path."""

import stat
from typing import Annotated

from pydantic import Field

from common.models import UtcTime
from common.tools import FOR_PROGRAMS, touching
from execution_environment.sandbox.descriptors import kind
from execution_environment.toolkit.tool import Arguments, Output, tool
from execution_environment.workspace.reader import Reader
from execution_environment.workspace.streams import modified_at


class GetFileInfoArguments(Arguments):
    """The path to look at. The hash of a huge file takes its time: `hash` says whether to make it."""

    path: Annotated[str, touching("path")]
    """The file or directory, relative to the workspace."""
    hash: Annotated[bool, Field(json_schema_extra={FOR_PROGRAMS: True})] = True
    """Return the SHA-256 too; false is faster for huge files."""


class FileInfo(Output):
    """`size` in bytes; `mode` in octal; `sha256` of regular files only, and only with `hash`."""

    path: str
    type: str
    size: int
    mode: str
    modified_at: UtcTime
    sha256: str | None


@tool(effect="read")
def get_file_info(arguments: GetFileInfoArguments, reader: Reader) -> FileInfo:
    """Return type, size, mode, time of change and hash. Use it to see whether a path exists."""
    status = reader.status(arguments.path)
    is_hashed = arguments.hash and stat.S_ISREG(status.st_mode)
    return FileInfo(
        path=arguments.path,
        type=kind(status.st_mode),
        size=status.st_size,
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        modified_at=modified_at(status),
        sha256=reader.snapshot(arguments.path, 0).sha256 if is_hashed else None,
    )
