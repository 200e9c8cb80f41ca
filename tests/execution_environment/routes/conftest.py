"""The service over HTTP, as the orchestrator sees it."""

import json

SESSION, RUN = "ses_" + "1" * 32, "run_" + "2" * 32
CONTEXT = {
    "request_id": "req_1",
    "session_id": SESSION,
    "run_id": RUN,
    "user_id": "ann",
    "request_source": {"kind": "internal"},
    "allowed_paths_root": "ann/demo",
    "timeout": 5,
}
ANOTHERS = {**CONTEXT, "allowed_paths_root": "bob/secrets"}


def body(call_id="a", fence=1, context=CONTEXT):
    """Return a change."""
    arguments = {"path": call_id.replace(":", "-"), "content": "1"}
    return {
        "id": call_id, "fence": fence, "tool": "write_file", "arguments": arguments, "context": context,
    }  # fmt: skip


def headers(fence=1, context=CONTEXT):
    """Return how a call without a body says who asks."""
    return {"X-Fence": str(fence), "X-Execution-Context": json.dumps(context)}


async def last_record(client):
    """Return what the trail has last."""
    return (await client.get("/v1/audit")).json()["items"][-1]
