"""A file's lock on every system that the command runs on."""

import sys
from typing import TextIO

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: TextIO) -> bool:
        """Take the file's exclusive lock without waiting; tell whether it is ours."""
        file.seek(2**30)  # beyond what is written: a locked byte cannot be read by others
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    from common.processes.locking import try_lock

__all__ = ["try_lock"]
