"""The files that one call takes in: each lies in staging until it is put in its place, or removed."""

from collections.abc import Iterable

from execution_environment.sandbox.limits import QuotaMeter
from execution_environment.sandbox.renames import Rename
from execution_environment.sandbox.staging import Staging
from execution_environment.workspace.streams import IncomingFile


class ReceivedFiles:
    """What has been begun, by its name in staging."""

    def __init__(self, staging: Staging, meter: QuotaMeter, *, durable: bool) -> None:
        self._staging = staging
        self._meter = meter
        self._durable = durable
        self._files: dict[bytes, IncomingFile] = {}

    def begin(self) -> IncomingFile:
        """Begin to take in a file."""
        incoming = IncomingFile(self._staging, self._meter, durable=self._durable)
        self._files[incoming.name] = incoming
        return incoming

    def __contains__(self, name: object) -> bool:
        """Tell whether a staged entry is one of them."""
        return name in self._files

    def unplaced(self, renames: Iterable[Rename]) -> list[bytes]:
        """Return the names of those that no step puts in a place."""
        placed = {rename.source.leaf for rename in renames}
        return [name for name in self._files if name not in placed]

    def close(self) -> None:
        """Close them, however far they have come, and forget them."""
        for incoming in self._files.values():
            incoming.close()
        self._files.clear()
