"""The manifest: what files there are to be, read line by line as it arrives and kept small."""

import hashlib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from common.documents import strict_json
from common.errors import ClientError
from common.files.archives import MAX_LINE, ManifestDeletion, ManifestEntry, ManifestFile
from common.files.paths import Parts, parse, show

MEAN_LINE = 1024
"""Bytes that a manifest's lines may have on average: they stay in memory, the paths above all."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it is to be; hashes and the path, without `.` and doubled slashes, are raw bytes."""

    path: bytes
    sha256: bytes | None
    """None for a file that is to go."""
    size: int
    is_executable: bool
    expected: bytes | None
    """The hash of what the path must hold now, None for nothing."""

    @property
    def parts(self) -> Parts:
        """The components of the path."""
        return tuple(self.path.split(b"/"))

    @property
    def shown(self) -> str:
        """The path as clients write it."""
        return show(self.path)


@dataclass(frozen=True)
class Manifest:
    """All that a manifest says: its entries by path, and the size of each content by its hash."""

    entries: dict[bytes, Entry]
    contents: dict[bytes, int]
    sha256: str
    """Of the manifest as it was sent."""


class ManifestReader:
    """Takes a manifest in, in pieces of any size; what is wrong with it is told by its line."""

    def __init__(self, most: int) -> None:
        """`most`: lines that it may have."""
        self._most = most
        self._entries: dict[bytes, Entry] = {}
        self._contents: dict[bytes, int] = {}
        self._digest = hashlib.sha256()
        self._rest = b""
        self._line = self._size = 0

    def feed(self, data: bytes) -> None:
        """Take what has come; raise `invalid_archive`, `path_not_allowed`, `request_too_large`."""
        self._size += len(data)
        self.require_size(self._size)
        self._digest.update(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        if len(self._rest) > MAX_LINE:
            self._take(self._rest)

    def require_size(self, size: int) -> None:
        """Raise `request_too_large` for a manifest of more bytes than are taken."""
        limit = max(self._most * MEAN_LINE, MAX_LINE)
        if size > limit:
            raise _too_large("bytes", limit, size)

    def finish(self) -> Manifest:
        """Return the whole; raise `invalid_archive` where a file would be in another."""
        if self._rest:
            self._take(self._rest)
            self._rest = b""
        self._require_no_file_in_a_file()
        return Manifest(self._entries, self._contents, self._digest.hexdigest())

    def _take(self, line: bytes) -> None:
        self._line += 1
        name = f"Line {self._line} of the manifest"
        if self._line > self._most:
            raise _too_large("lines", self._most, self._line)
        if len(line) > MAX_LINE:
            raise _invalid(f"{name} is longer than {MAX_LINE} bytes")
        self._add(_compact(_parsed(line, name)), name)

    def _add(self, entry: Entry, name: str) -> None:
        if not entry.path:
            raise _invalid(f"{name} names the workspace itself")
        if entry.path in self._entries:
            raise _invalid(f"{name} names '{entry.shown}' again", entry)
        self._entries[entry.path] = entry
        if entry.sha256 is None:
            return
        if self._contents.setdefault(entry.sha256, entry.size) != entry.size:
            raise _invalid(f"{name} has another size than an earlier one for its hash", entry)

    def _require_no_file_in_a_file(self) -> None:
        files = (entry for entry in self._entries.values() if entry.sha256 is not None)
        above = None
        # as components are compared: what is in a directory follows it at once
        for entry in sorted(files, key=lambda item: item.path.replace(b"/", b"\0")):
            if above is not None and entry.path.startswith(above.path + b"/"):
                raise _invalid(f"The manifest names '{entry.shown}' and a file above it", entry)
            above = entry


def _parsed(line: bytes, name: str) -> ManifestEntry:
    """Return a line, strictly read; `name` says in errors which one it is."""
    try:
        value = strict_json.loads(line, name)
    except ClientError as error:
        raise _invalid(error.detail) from error
    model = ManifestDeletion if isinstance(value, dict) and "deleted" in value else ManifestFile
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(f"{name} is not valid: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    found: Any = error.errors(include_input=False, include_url=False)[0]
    return ": ".join([*map(str, found["loc"]), found["msg"]])


def _compact(told: ManifestEntry) -> Entry:
    path = b"/".join(parse(told.path))
    expected = None if told.expected_sha256 is None else bytes.fromhex(told.expected_sha256)
    if isinstance(told, ManifestDeletion):
        return Entry(path, None, 0, False, expected)
    is_executable = bool(int(told.mode, 8) & 0o100)
    return Entry(path, bytes.fromhex(told.sha256), told.size, is_executable, expected)


def _invalid(detail: str, entry: Entry | None = None) -> ClientError:
    return ClientError("invalid_archive", detail, path=None if entry is None else entry.shown)


def _too_large(unit: str, limit: int, actual: int) -> ClientError:
    detail = f"The manifest has more than {limit} {unit}"
    return ClientError("request_too_large", detail, limit=limit, actual=actual)
