"""Manifests made from what a tree shall hold."""

import json

from common.files.paths import show
from execution_environment.archives.manifest import Manifest, ManifestReader
from tests.execution_environment.conftest import sha


def lines_of(files: dict[bytes, tuple[bytes, bool]]) -> bytes:
    """Return the lines for files with these contents, each executable or not, by path."""
    return b"".join(
        json.dumps(
            {
                "path": show(path),
                "sha256": sha(content),
                "size": len(content),
                "mode": "0755" if is_executable else "0644",
            }
        ).encode()
        + b"\n"
        for path, (content, is_executable) in files.items()
    )


def manifest_of(files: dict[bytes, tuple[bytes, bool]]) -> Manifest:
    """Return the manifest of files with these contents."""
    reader = ManifestReader(most=1000)
    reader.feed(lines_of(files))
    return reader.finish()
