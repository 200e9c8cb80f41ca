"""Runs beside an execution environment on a small disk: fills it, and prints what it then answers."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

URL, TOKEN = sys.argv[1:]


def call(tool, **arguments):
    """Make a tool call; return its status, and its code or None."""
    context = {
        "request_id": "req_full", "user_id": "local", "timeout": 20,
        "request_source": {"kind": "internal"}, "allowed_paths_root": "local/demo",
    }  # fmt: skip
    body = {"id": os.urandom(8).hex(), "fence": 0, "tool": tool, "arguments": arguments}
    request = urllib.request.Request(  # noqa: S310  # our own service
        f"{URL}/v1/tool-calls",
        json.dumps(body | {"context": context}).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310  # as above
            return answer.status, None, json.load(answer)["output"]
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        return error.code, problem["code"], problem["outcome"]


def fill(size):
    """Write files of a size until one does not fit any more; return that answer."""
    for number in range(5000):
        answer = call("write_file", path=f"fill/{size}-{number}", content="x" * size)
        if answer[0] != 200:
            return answer
    raise AssertionError("the disk is too large")


def content():
    """Return what the precious file holds."""
    return call("read_file", path="precious")[2]["content"]


call("write_file", path="precious", content="old")
large, small, least = fill(100_000), fill(1_000), fill(1)
replaced = call("write_file", path="precious", content="n" * 200_000, mode="replace")
appended = call("append_file", path="precious", content="n" * 200_000)
kept = content()
deleted = [call("delete_path", path="fill", recursive=True) for _ in range(3)]
for _ in range(100):  # the space comes back a moment after the answer
    after = call("write_file", path="precious", content="new", mode="replace")
    if after[0] == 200:
        break
    time.sleep(0.1)
sys.stdout.write(json.dumps({
    "full": [answer[:2] for answer in (large, small, least, replaced, appended)],
    "outcomes": sorted({str(answer[2]) for answer in (large, small, least, replaced, appended)}),
    "kept": kept, "deleted": [answer[:2] for answer in deleted], "after": after[0],
    "content": content(),
}))  # fmt: skip
