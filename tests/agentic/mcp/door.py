"""The orchestrator's door for MCP, as a script."""

import json
from collections import defaultdict

import httpx

from agentic.mcp.bridge import bridge_to
from agentic.mcp.upstream import Upstream, Where

INFO = {"name": "bridge", "version": "1"}
IDENTITY = {"name": "door", "version": "9", "title": "The door"}
TOOLS = {"tools": {"listChanged": False}}
EVENTS = {"content-type": "text/event-stream"}


def result(**fields):
    """Answer with a result."""
    body = {"jsonrpc": "2.0", "id": 1, "result": {"resultType": "complete", **fields}}
    return lambda _body: httpx.Response(200, json=body)


def text(said, **more):
    """Answer with a tool's text."""
    return result(content=[{"type": "text", "text": said}], **more)


def refused(code, message, data=None, status=400):
    """Answer with an error of the protocol."""
    error = {"code": code, "message": message, "data": data}
    body = {"jsonrpc": "2.0", "id": 1, "error": error}
    return lambda _body: httpx.Response(status, json=body)


def broken(error=httpx.ReadError):
    """Lose the answer."""

    def fail(_body):
        raise error("broken")

    return fail


def events(*messages, cut=False):
    """Answer with a stream; one that is cut ends before its last message does."""
    frames = [f"event: message\r\ndata: {json.dumps(message)}\r\n\r\n" for message in messages]
    stream = ": ping\r\n\r\n" + "".join(frames)
    return lambda _body: httpx.Response(200, headers=EVENTS, content=stream[:-4] if cut else stream)


def progress(token, done, message=None):
    """Return a notification of progress."""
    params = {"progressToken": token, "progress": done, "total": 3, "message": message}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def asks(message="May it?", state="sealed"):
    """Answer that a person has to approve."""
    form = {"type": "object", "properties": {"decision": {"type": "string"}}}
    params = {"mode": "form", "message": message, "requestedSchema": form}
    request = {"method": "elicitation/create", "params": params}
    return result(
        resultType="input_required", inputRequests={"approval": request}, requestState=state
    )


class Door(httpx.AsyncBaseTransport):
    """Answers each method with what was set for it, one after the other; the last one stays."""

    def __init__(self, capabilities):
        self.asked = defaultdict(list)
        self.heads = defaultdict(list)
        self.hosts = []
        self._answers = {}
        # the client looks there for a tool's output schema
        self.set("tools/list", result(tools=[], ttlMs=0, cacheScope="private"))
        about = {"io.modelcontextprotocol/serverInfo": IDENTITY}
        self.set(
            "server/discover",
            result(
                supportedVersions=["2026-07-28"],
                capabilities=capabilities,
                instructions="Do as the door says.",
                ttlMs=0,
                cacheScope="private",
                _meta=about,
            ),
        )

    def set(self, method, *answers):
        """Have requests of a method answered so."""
        self._answers[method] = list(answers)

    async def handle_async_request(self, request):
        """Note a request, and answer it."""
        body = json.loads(await request.aread())
        method = body["method"]
        self.asked[method].append(body["params"])
        self.heads[method].append(request.headers)
        self.hosts.append(request.url.host)
        left = self._answers[method]
        answer = left.pop(0) if len(left) > 1 else left[0]
        said = answer(body)
        return said if isinstance(said, httpx.Response) else await said

    def metas(self, method="tools/call"):
        """Return what the requests of a method had in their `_meta`."""
        return [params["_meta"] for params in self.asked[method]]


class Bench:
    """A bridge to a door, and who finds it: `locate` can be another one at any time."""

    def __init__(self, door, locate=None):
        self.door = door
        self.locate = locate or self._here
        where = Where(lambda is_lost: self.locate(is_lost), "/mcp/demo", "the-key", "test/1")
        self.upstream = Upstream(where, door)

    async def _here(self, _is_lost):
        return "http://127.0.0.1:8000"

    async def server(self):
        """Return the server that a client meets."""
        return await bridge_to(self.upstream, INFO)
