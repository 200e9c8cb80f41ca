"""Archives as clients send them, right and wrong ones."""

import json

from common.files.archives import MANIFEST
from common.files.tar_stream import END, header_of, padding_of
from tests.execution_environment.conftest import sha


def put(path, data=b"", *, was=None, **more):
    """Return the line of a file that is to be; `was` is what the path holds now."""
    expected = None if was is None else sha(was)
    return {
        "path": path, "sha256": sha(data), "size": len(data), "expected_sha256": expected, **more,
    }  # fmt: skip


def gone(path, was):
    """Return the line of a file that is to go."""
    return {"path": path, "deleted": True, "expected_sha256": sha(was)}


def lines(*entries):
    """Return a manifest; what is bytes is sent as it is."""
    sent = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in entries]
    return b"".join(item + b"\n" for item in sent)


def member(name, data):
    """Return a member of a tar stream."""
    return header_of(name, len(data)) + data + padding_of(len(data))


def archive(*entries, bodies=()):
    """Return an archive with these contents."""
    contents = b"".join(member(sha(data), data) for data in bodies)
    return member(MANIFEST, lines(*entries)) + contents + END


def files(contents, **more):
    """Return an archive of files that are not there yet, by path, each content once."""
    entries = [put(path, data, **more) for path, data in contents.items()]
    return archive(*entries, bodies=dict.fromkeys(contents.values()))
