"""Reading a directory."""

import os

from execution_environment.sandbox.descriptors import DIRECTORY, opened
from execution_environment.sandbox.walking import read_directory


def test_entries_are_looked_at_before_their_directory_is_closed(demo, root, monkeypatch):
    """Closed first, a descriptor's number may be another directory's: here it is, with the same names."""
    (demo / "sub" / "file").write_text("another length")
    with opened(root, (b"sub",), DIRECTORY) as other, monkeypatch.context() as patched:
        closed = []
        patched.setattr(os, "close", lambda number: closed.append(os.dup2(other, number)))
        sizes = {entry.parts[-1]: entry.status.st_size for entry in read_directory(root, (), ())}
    os.close(*closed)
    assert sizes[b"file"] == len("inside")
