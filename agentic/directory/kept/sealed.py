"""Files of the client's own state: replaced as a whole, and read only if nothing of them is lost."""

import hashlib
import os
import secrets
from pathlib import Path

from agentic.directory.faults import told_of


def write_sealed(path: Path, content: bytes, *, is_durable: bool = True) -> None:
    """Replace a file at once: its old content or the new is there, whenever we are killed."""
    staged = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    with told_of(str(path)):
        try:
            with staged.open("xb") as file:
                file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


def read_sealed(path: Path) -> bytes | None:
    """Return the content; None where there is none. Raises ValueError where it is not as written."""
    with told_of(str(path)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
    seal, _, content = data.partition(b"\n")
    if seal != hashlib.sha256(content).hexdigest().encode():
        raise ValueError(f"{path} is damaged")
    return content
