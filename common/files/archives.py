"""Many files at once: the manifest that says what there is, and what both services answer to it.

An archive is a tar stream. Its first member, MANIFEST, is NDJSON: a line for each file, or for each
that goes. Every other member is a file's content, named by its SHA-256; content that several files
have is sent once, and content that the workspace holds already is not sent at all.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from common.ids import CallId
from common.models import Items, Lenient, Strict
from common.tools import Receipt

MANIFEST = "manifest.ndjson"
"""The name of an archive's first member."""
MEDIA_TYPE = "application/x-tar"
LINES = "application/x-ndjson"
MAX_LINE = 32 * 1024
"""Bytes of one line of a manifest: a path of 4095 bytes may be escaped to six times its length."""
MOST_NAMED = 1000
"""Conflicts and missing contents that one error names; `actual` counts them all."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=0, lt=2**63)]
"""Bytes."""
Path = Annotated[str, Field(min_length=1, max_length=4095)]
"""Relative to the workspace, `/`-separated."""
Mode = Annotated[str, StringConstraints(pattern=r"^0[0-7]{3}$")]
"""In octal. Of two modes only the owner's right to execute is compared: umasks differ."""


class ManifestFile(Strict):
    """A file as it is, or is to be. `size` in bytes."""

    path: Path
    sha256: Sha256
    size: Size
    mode: Mode = "0644"
    expected_sha256: Sha256 | None = None
    """What the path must hold now: as last seen; null for nothing. A diff does not look at it."""


class ManifestDeletion(Strict):
    """A file that is to go."""

    path: Path
    deleted: Literal[True]
    expected_sha256: Sha256


ManifestEntry = ManifestFile | ManifestDeletion
MANIFEST_LINE: TypeAdapter[ManifestEntry] = TypeAdapter(ManifestEntry)


class Difference(Lenient):
    """A path at which a manifest and a workspace differ, seen from the manifest.

    `new`: only the workspace has it; `gone`: only the manifest has; `type` and what follows say
    what is there now. `is_held`: the workspace holds the manifest's content, here or elsewhere.
    """

    path: str
    state: Literal["new", "changed", "gone"]
    type: Literal["file", "directory", "other"] | None = None
    sha256: Sha256 | None = None
    size: Size | None = None
    mode: Mode | None = None
    is_held: bool = False

    @property
    def is_executable(self) -> bool:
        """Whether its owner may run what is there now."""
        return self.mode is not None and bool(int(self.mode, 8) & 0o100)


class DifferenceCount(Lenient):
    """The last line of a diff, without which it was cut off."""

    is_end: Literal[True] = True
    new: int
    changed: int
    gone: int
    same: int
    skipped: int
    """Links and specials, which no archive holds."""
    generation: str | None
    """Which making of the workspace was compared; null where there is none. A workspace that was
    deleted and made again has another: what was last seen of it says nothing then."""


DIFFERENCE_LINE: TypeAdapter[DifferenceCount | Difference] = TypeAdapter(
    DifferenceCount | Difference
)


class Conflict(Lenient):
    """A path that holds something else than was expected; null for nothing."""

    path: str
    expected_sha256: str | None
    current_sha256: str | None
    type: Literal["file", "directory", "other"] | None


class ArchiveResult(Lenient):
    """What an archive has changed. `receipts` are the first; the others are read page by page."""

    id: CallId
    created: int
    replaced: int
    deleted: int
    unchanged: int
    bytes_written: int
    receipts_sha256: str | None
    """Hash of the list of all changes, which the audit trail has, too; null where nothing changed."""
    receipts: Items[Receipt]
    next_cursor: str | None = None
    replayed: bool = False
    duration_ms: float
