"""The race's calls of many files at once: archives in and out, and comparisons."""

import hashlib
import secrets
from typing import Any

import httpx

from common.files.archives import LINES, MANIFEST, MEDIA_TYPE, ManifestDeletion, ManifestFile
from common.files.tar_stream import END, header_of, padding_of
from tests.system.race.shapes import USER, Shape

ROUTE = "/v1/archives/{user}/{workspace}"
INSIDE = b"inside\n"
SHA256 = hashlib.sha256(INSIDE).hexdigest()
PUT, GET, DIFF, TAR = "put_archive", "get_archive", "diff_archive", "diff_as_tar"


def calls_on(shape: Shape) -> dict[str, list[dict[str, Any]]]:
    """Return what is asked for, by the name of the call."""
    new = f"{shape.inner}new.txt"
    return {
        PUT: [
            {"files": [*shape.files, new], "deleted": []},
            {"files": list(shape.files), "deleted": [new]},
        ],
        GET: [{"path": path} for path in (".", *shape.folders)],
        DIFF: [{"files": list(shape.files)}],
        TAR: [{"files": [new]}],
    }


def request_of(client: httpx.AsyncClient, shape: str, name: str, arguments: Any) -> httpx.Request:
    """Return the request of one of these calls."""
    url = ROUTE.format(user=USER, workspace=shape)
    if name == GET:
        return client.build_request("GET", url, params=arguments)
    if name == PUT:
        headers = {"Content-Type": MEDIA_TYPE, "Idempotency-Key": f"race-{secrets.token_hex(16)}"}
        body = _archive(arguments)
        return client.build_request(
            "PUT", url, params={"force": "true"}, headers=headers, content=body
        )
    headers = {"Content-Type": LINES, "Accept": MEDIA_TYPE if name == TAR else LINES}
    body = _manifest(arguments["files"], [])
    return client.build_request("POST", f"{url}/diff", headers=headers, content=body)


def _manifest(files: list[str], deleted: list[str]) -> bytes:
    entries = [
        *(ManifestFile(path=path, sha256=SHA256, size=len(INSIDE)) for path in files),
        *(ManifestDeletion(path=path, deleted=True, expected_sha256=SHA256) for path in deleted),
    ]
    return b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)


def _archive(arguments: Any) -> bytes:
    members = {MANIFEST: _manifest(**arguments), SHA256: INSIDE}
    blocks = (
        header_of(name, len(content)) + content + padding_of(len(content))
        for name, content in members.items()
    )
    return b"".join(blocks) + END
