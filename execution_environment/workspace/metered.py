"""Content on its way into staging: counted, hashed and bounded as it passes."""

import hashlib
from collections.abc import Iterable, Iterator

from execution_environment.sandbox.limits import CallLimits, QuotaMeter


class MeteredStream:
    """An iterable of bytes that knows, once it has passed, what has passed."""

    def __init__(
        self, chunks: Iterable[bytes], limits: CallLimits, meter: QuotaMeter, replaced: int = 0
    ) -> None:
        """`replaced` is the size of what goes when this comes, in bytes."""
        self._chunks = chunks
        self._limits = limits
        self._meter = meter
        self._replaced = replaced
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks; raise past the quota or the deadline."""
        self._meter.add(-self._replaced)
        for chunk in self._chunks:
            self._limits.check_deadline()
            self._meter.add(len(chunk))
            self._digest.update(chunk)
            self.size += len(chunk)
            yield chunk

    def drain(self) -> None:
        """Let it pass into nothing, as a dry run does."""
        for _ in self:
            pass

    @property
    def sha256(self) -> str:
        """Hash of what has passed, in hex."""
        return self._digest.hexdigest()
