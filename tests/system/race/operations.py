"""The calls of the race: every tool that the service offers, aimed at every name that is swapped."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.system.race import archives
from tests.system.race.shapes import USER, Shape

CALL_TIMEOUT = 10.0
FILES_ROUTE = "/v1/files/{user}/{workspace}/{path}"
ARCHIVES = {archives.PUT, archives.GET, archives.DIFF, archives.TAR}
ENCODINGS = ("utf-8", "base64")
CONTENT = {"content": "inside\n"}
MAKE_PATCH = "--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+patched\n"
REMOVE_PATCH = "--- a/{0}\n+++ /dev/null\n@@ -1 +0,0 @@\n-patched\n"
CHANGE_PATCH = "--- a/{0}\n+++ b/{0}\n@@ -1 +1,2 @@\n inside\n+patched\n"
RESTORE_PATCH = "--- a/{0}\n+++ b/{0}\n@@ -1,2 +1 @@\n inside\n-patched\n"
ListOfArguments = list[dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """One request that can be made again and again."""

    shape: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def hashes_files(self) -> bool:
        """Whether it is refused where a file is never the same for as long as reading it takes."""
        return self.name in ARCHIVES

    @property
    def may_break_off(self) -> bool:
        """Whether its answer ends before its end where files change meanwhile."""
        return self.name in ARCHIVES - {archives.PUT}

    def request(self, client: httpx.AsyncClient) -> httpx.Request:
        """Return the request, a call's id being new."""
        if self.name in ARCHIVES:
            return archives.request_of(client, self.shape, self.name, self.arguments)
        if self.name in {"GET", "PUT", "DELETE"}:
            url = f"/v1/files/{USER}/{self.shape}/{self.arguments['path']}"
            body = b"inside\n" if self.name == "PUT" else None
            return client.build_request(self.name, url, content=body)
        return client.build_request("POST", "/v1/tool-calls", json=self._call())

    def _call(self) -> dict[str, Any]:
        context = {
            "request_id": f"race-{self.shape}",
            "user_id": USER,
            "request_source": {"kind": "internal"},
            "allowed_paths_root": f"{USER}/{self.shape}",
            "timeout": CALL_TIMEOUT,
        }
        call = {"id": f"race-{secrets.token_hex(16)}", "fence": 1, "context": context}
        return {**call, "tool": self.name, "arguments": self.arguments}


def operations(shape: Shape, offered: set[str]) -> list[Operation]:
    """Return the operations on a shape, of those that the service offers."""
    calls = {
        **_reads(shape),
        **_writes(shape),
        **_moves(shape),
        **_transfers(shape),
        **archives.calls_on(shape),
    }
    return [
        Operation(shape.name, name, arguments)
        for name, list_of_arguments in calls.items()
        if name in offered
        for arguments in list_of_arguments
    ]


def _reads(shape: Shape) -> dict[str, ListOfArguments]:
    files, folders = shape.files, shape.folders
    return {
        "read_file": [{"path": path, "encoding": form} for path in files for form in ENCODINGS],
        "read_files": [{"paths": [*files, *folders]}],
        "list_directory": [{"path": path, "depth": 5} for path in folders],
        "search_files": [{"pattern": "[0-9a-f]{16}|inside", "path": path} for path in folders],
        "find_files": [{"glob": "**/*", "path": path} for path in folders],
        "get_file_info": [{"path": path} for path in (*files, *folders)],
    }


def _writes(shape: Shape) -> dict[str, ListOfArguments]:
    files, new = shape.files, f"{shape.inner}new.txt"
    edit = {"edits": [{"insert_at_line": 1, "text": "inside"}]}
    patches = [MAKE_PATCH.format(new), REMOVE_PATCH.format(new)]
    patches += [patch.format(path) for path in files for patch in (CHANGE_PATCH, RESTORE_PATCH)]
    return {
        "write_file": [
            *({"path": path, "mode": "upsert", **CONTENT} for path in (*files, new)),
            {"path": new, "mode": "create", **CONTENT},
            {"path": f"{shape.inner}more/new.txt", "mode": "upsert", **CONTENT},
        ],
        "edit_file": [{"path": path, **edit} for path in files],
        "append_file": [{"path": path, **CONTENT} for path in (*files, new)],
        "apply_patch": [{"patch": patch} for patch in patches],
        "create_directory": [{"path": f"{shape.inner}made/{name}"} for name in "abc"],
    }


def _moves(shape: Shape) -> dict[str, ListOfArguments]:
    file, folder, inner = shape.files[0], shape.folders[-1], shape.inner
    over = {"overwrite": True}
    return {
        "move_path": [
            {"source": file, "destination": "parked.txt", **over},
            {"source": folder, "destination": "parked", **over},
            {"source": "parked", "destination": folder, **over},
            {"source": "parked.txt", "destination": f"{inner}moved.txt"},
        ],
        "copy_path": [
            {"source": file, "destination": "copied.txt", **over},
            {"source": folder, "destination": "copied", **over},
            {"source": "copied.txt", "destination": f"{inner}again.txt", **over},
        ],
        "delete_path": [
            *({"path": path} for path in (file, f"{inner}new.txt", f"{inner}moved.txt")),
            *(
                {"path": path, "recursive": True}
                for path in (*shape.folders, f"{inner}made", "parked", "copied")
            ),
        ],
    }


def _transfers(shape: Shape) -> dict[str, ListOfArguments]:
    """Of the files route, which takes a path and a body."""
    return {
        "GET": [{"path": path} for path in shape.files],
        "PUT": [{"path": path} for path in (*shape.files, f"{shape.inner}new.txt")],
        "DELETE": [{"path": f"{shape.inner}new.txt"}],
    }


async def offered_by(client: httpx.AsyncClient) -> set[str]:
    """Ask the service what it offers: tools, the files route by its methods, and archives."""
    tools = (await client.get("/v1/tools")).raise_for_status().json()
    document = (await client.get("/openapi.json")).raise_for_status().json()
    methods = document["paths"].get(FILES_ROUTE, {})
    offered = {*(tool["name"] for tool in tools), *(method.upper() for method in methods)}
    return offered | ARCHIVES if archives.ROUTE in document["paths"] else offered
