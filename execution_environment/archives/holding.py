"""The contents that an archive's files are made of: those that came, and those the workspace holds."""

from collections import Counter
from collections.abc import Container, Iterable

from common.errors import ClientError, ToolError
from common.files.archives import MOST_NAMED
from common.files.paths import Parts, show_path
from execution_environment.archives.hashing import Found
from execution_environment.archives.planning import Plan
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.descriptors import chunks
from execution_environment.workspace.streams import IncomingFile
from execution_environment.workspace.workspace import Workspace


class Holdings:
    """Hands out a staged file for each use of a content. Work for a thread."""

    def __init__(
        self,
        workspace: Workspace,
        received: dict[bytes, IncomingFile],
        survey: Survey,
        uses: Counter[bytes],
    ) -> None:
        """`uses`: for how many files each content is needed, by hash."""
        self._workspace = workspace
        self._files = dict(received)
        self._survey = survey
        self._uses = uses
        self._meter = workspace.change.meter
        self._uncounted = set(received)
        """Contents that came in before the meter began anew."""

    def complete(self, sizes: dict[bytes, int], plan: Plan) -> None:
        """Copy what did not come from files that hold it; raise `content_missing` for the rest."""
        missing = {sha256: sizes[sha256] for sha256 in self._uses if sha256 not in self._files}
        for sha256, parts in self._held(missing, plan).items():
            self._copy_from(sha256, parts)
        left = [sha256.hex() for sha256 in missing if sha256 not in self._files]
        if left:
            raise ClientError(
                "content_missing",
                f"{len(left)} contents came not along, and the workspace does not hold them",
                missing=left[:MOST_NAMED],
                actual=len(left),
            )

    def take(self, sha256: bytes) -> IncomingFile:
        """Return a staged file that has a content: a copy, while there are more uses of it."""
        kept = self._files[sha256]
        self._uses[sha256] -= 1
        if self._uses[sha256]:
            limits = self._workspace.limits
            with kept.opened() as descriptor:
                return self._filled(chunks(descriptor, limits))
        if sha256 in self._uncounted:
            self._meter.add(kept.size)
        return kept

    def _held(self, missing: dict[bytes, int], plan: Plan) -> dict[bytes, Parts]:
        """Return where the workspace holds contents; it is walked for what is not known yet."""
        looked_at = (found for _, found in plan.placed if found is not None)
        held = _holders(looked_at, missing)
        sizes = {size for sha256, size in missing.items() if sha256 not in held}
        if not sizes:
            return held
        walked = self._survey.walk((), lambda status: status.st_size in sizes)
        return {**_holders(walked, missing), **held}

    def _copy_from(self, sha256: bytes, parts: Parts) -> None:
        """Copy a content from a file, unless that has become another, or none, meanwhile."""
        try:
            with self._workspace.files.root.opened_file(show_path(parts)) as (descriptor, _):
                copy = self._filled(chunks(descriptor, self._workspace.limits))
        except ToolError as error:
            if error.code != "path_not_found":
                raise
            return
        if copy.sha256 == sha256.hex():
            self._files[sha256] = copy

    def _filled(self, content: Iterable[bytes]) -> IncomingFile:
        copy = self._workspace.change.receive()
        for piece in content:
            copy.write(piece)
        copy.finish()
        return copy


def _holders(files: Iterable[Found], missing: Container[bytes]) -> dict[bytes, Parts]:
    """Return one of these files for each content that any of them holds."""
    return {
        sha256: found.parts
        for found in files
        if (sha256 := bytes.fromhex(found.sha256 or "")) in missing
    }
