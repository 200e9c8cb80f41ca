"""A hostile or broken server: the client ends in time, holds little, and says what it met."""

import asyncio
import gzip
import json

import pytest

from agentic import AgenticClient, AgenticError, ClientError, SystemFault
from agentic.api import transport
from agentic.api.documents import MOST_VALUES
from agentic.api.problems import MOST_TEXT
from agentic.api.transport import MOST
from common.errors import error
from tests.agentic.api.hostile import drips, head, hostile, never_ends, says, silent
from tests.agentic.fakes import RUN_ID, SESSION, a_step, an_event

TIMEOUT = 0.3
"""Seconds for what never comes; nothing else waits for it."""
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"
MEBIBYTE = 1024 * 1024
PIECE = b"%x\r\n%s\r\n" % (MEBIBYTE, b"[" * MEBIBYTE)
EVENTS = head(200, "Content-Type: text/event-stream")
SENT = error("path_not_found", "there is no such file", path="a").problem("orchestrator", "req_1")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Ask again at once."""
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.0)


@pytest.fixture
def ask():
    """Do something with a client of a server that behaves so; return both."""

    async def ask(behaviour, work, **more):
        async with hostile(behaviour) as server, AgenticClient(server.url, **more) as client:
            try:
                return server, await work(client)
            except AgenticError as caught:
                return server, caught

    return ask


async def read(client):
    """Ask for a model."""
    return await client.session(SESSION.id)


async def follow(client):
    """Follow a run to its end."""
    return [event async for event in client.events(SESSION.id, RUN_ID)]


async def enumerate_files(client):
    """List a directory."""
    return await client.files.list(SESSION.id)


async def look(client):
    """Tell what there is at a path."""
    return await client.files.info(SESSION.id, "a")


async def download(client):
    """Read a file."""
    async with client.files.read(SESSION.id, "a") as file:
        return b"".join([piece async for piece in file.pieces()])


async def compare(client):
    """Compare nothing with a workspace."""
    return [one async for one in client.archives.diff(SESSION.id, no_bytes)]


async def take(client):
    """Take an archive."""
    async with client.archives.get(SESSION.id) as pieces:
        return [piece async for piece in pieces]


async def upload(client):
    """Send more than the sockets hold."""
    return await client.files.write(SESSION.id, "a", endless_bytes)


async def no_bytes():
    """An empty body."""
    for piece in ():
        yield piece


async def endless_bytes():
    """A body without end."""
    while True:
        yield bytes(MEBIBYTE)


def raw(document, status=404):
    """A whole answer that carries a document."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return head(status, JSON, f"Content-Length: {len(body)}") + body


def a_problem(**odd):
    """A problem document with something odd in it; None leaves it out."""
    document = {**SENT.model_dump(mode="json"), **odd}
    return {name: value for name, value in document.items() if value is not ...}


def sse(kind, seq=1, event_id=None, **data):
    """An event as it is sent."""
    body = an_event(seq, kind, **data).model_dump_json()
    return f"id: {event_id or seq}\ndata: {body}\n\n".encode()


BROKEN = {
    "closes at once": says(),
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "half a head": says(b"HTTP/1.1 200 OK\r\nContent-"),
    "header lines without end": never_ends(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n"),
    "a header line without end": never_ends(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1000),
    "odd length": says(head(200, "Content-Length: -1")),
    "two lengths": says(head(200, "Content-Length: 1", "Content-Length: 2") + b"{}"),
    "shorter than said": says(head(200, JSON, "Content-Length: 100") + b"{}"),
    "half a chunk": says(head(200, JSON, CHUNKED) + b"ff\r\n{}"),
    "odd chunk": says(head(200, JSON, CHUNKED) + b"zz\r\n{}\r\n0\r\n\r\n"),
    "no content": says(head(204)),
    "an odd coding": says(head(200, JSON, "Transfer-Encoding: gzip") + gzip.compress(b"{}")),
    "packed": says(head(200, JSON, "Content-Encoding: gzip") + gzip.compress(b"{}" * 100)),
    "endless": never_ends(head(200, JSON, CHUNKED), PIECE),
    "an endless error": never_ends(head(500, JSON, CHUNKED), PIECE),
    "deep": says(raw(b"[" * 100_000, 200)),
    "no JSON": says(raw(b"\xff\xfe<html>", 200)),
    "another model": says(raw({"id": 1}, 200)),
    "a problem with 200": says(raw(a_problem(), 200)),
    "a proxy's page": says(raw(b"<html>502 Bad gateway", 502)),
    "a redirect without an address": says(raw({}, 301)),
    "a list": says(raw([1])),
    "a problem without a code": says(raw(a_problem(code=...))),
    "a problem with a code of another type": says(raw(a_problem(code=[]))),
    "a problem with an odd outcome": says(raw(a_problem(outcome="maybe"))),
    "a problem whose context is a list": says(raw(a_problem(context=[1]))),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_an_answer_of_a_broken_server_is_upstream_failed(ask, kind):
    """One way of telling it, whatever it was: neither a traceback nor memory without end."""
    _, caught = await ask(BROKEN[kind], read)
    assert isinstance(caught, SystemFault)
    assert (caught.code, caught.source, caught.outcome) == ("upstream_failed", "client", "unknown")


@pytest.mark.parametrize(
    "behaviour",
    [
        silent,
        drips(b"", head(200, JSON)[:-2] * 1000),
        drips(head(200, 'ETag: "e"', "Content-Length: 1000000"), b" "),
        drips(head(404, JSON, CHUNKED), b"1\r\n \r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "headers by bytes", "body by bytes", "an error by bytes", "go on for ever"],
)
@pytest.mark.parametrize("work", [read, download, compare, take], ids=lambda work: work.__name__)
async def test_a_server_that_takes_for_ever_meets_the_deadline(ask, behaviour, work):
    """Each byte comes in time; the answer as a whole has to, too."""
    _, caught = await ask(behaviour, work, timeout=TIMEOUT, transfer_timeout=TIMEOUT)
    assert (caught.code, caught.source) == ("deadline_exceeded", "client")


@pytest.mark.parametrize(
    ("work", "status"),
    [(read, 200), (read, 404), (enumerate_files, 200), (enumerate_files, 404), (look, 404)],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
async def test_a_document_that_comes_byte_by_byte_meets_the_deadline(ask, work, status):
    """A listing, or what is wrong with a path, is no transfer: it has the time of an answer."""
    dripping = drips(head(status, JSON, CHUNKED), b"1\r\n \r\n")
    _, caught = await ask(dripping, work, timeout=TIMEOUT)
    assert (caught.code, caught.source) == ("deadline_exceeded", "client")


@pytest.mark.parametrize(
    "end", [(b"0\r\n", b"A: b\r\n"), (b"1;", b"x")], ids=["trailers", "extension of a chunk"]
)
@pytest.mark.parametrize("work", [compare, take], ids=lambda work: work.__name__)
async def test_bytes_that_are_no_piece_of_an_answer_meet_the_deadline(ask, work, end):
    """Chunks have more to them than content, which can come for ever and brings nothing."""
    begin, again = end
    dripping = drips(head(200, "Content-Type: application/x-ndjson", CHUNKED) + begin, again)
    async with asyncio.timeout(30 * TIMEOUT):
        _, caught = await ask(dripping, work, timeout=TIMEOUT, transfer_timeout=TIMEOUT)
    assert (caught.code, caught.source) == ("deadline_exceeded", "client")


async def test_a_server_that_takes_nothing_meets_the_deadline_of_a_transfer(ask):
    """The upload waits for room in the socket, which never comes."""
    _, caught = await ask(silent, upload, timeout=TIMEOUT, transfer_timeout=TIMEOUT)
    assert (caught.code, caught.outcome) == ("deadline_exceeded", "unknown")


async def test_no_packed_answer_is_asked_for(ask):
    """2.5 GB fit into a gzip that comes in a second."""
    server, _ = await ask(says(raw({})), read)
    assert "\r\naccept-encoding: identity\r\n" in server.heads[0].lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_takes_the_key_to_no_other_host(ask, status):
    """Whoever answers for the orchestrator for a moment would get it."""
    async with hostile(says(raw({}, 200))) as other:
        moved = says(head(status, f"Location: {other.url}/", "Content-Length: 0"))
        server, caught = await ask(moved, read, api_key="secret")
        assert "authorization: bearer secret" in server.heads[0].lower()
    assert (caught.code, other.heads) == ("upstream_failed", [])


@pytest.mark.parametrize("status", [302, 307])
@pytest.mark.parametrize("address", ["foo:bar", "http://xn--a/", "http://[", "//", "http://a:b/"])
@pytest.mark.parametrize("work", [read, compare], ids=lambda work: work.__name__)
async def test_a_redirect_to_what_is_no_address_is_an_answer_like_any_redirect(
    ask, status, address, work
):
    """It is looked at although it is not followed: httpx raises what is no error of a transport."""
    moved = says(head(status, f"Location: {address}", "Content-Length: 0"))
    _, caught = await ask(moved, work)
    assert (caught.code, caught.source) == ("upstream_failed", "client")
    assert f"HTTP {status}" in caught.detail


@pytest.mark.parametrize(
    "odd",
    [
        {"context": {"path": ["a"], "limit": "many", "fields": 7}},
        {"context": {"code": "x", "detail": "y", "hint": "z", "outcome": 1, "self": 2}},
        {"context": {"retry_after": "soon"}},
        {"status": 200},
        {"request_id": None},
        {"retryable": None},
        {"detail": "d" * MEBIBYTE},
    ],
    ids=["types", "names", "retry", "status", "no id", "no advice", "long"],
)
async def test_a_problem_document_is_understood_although_something_in_it_is_odd(ask, odd):
    """Its code says what happened; what cannot be read of the rest is left out."""
    _, caught = await ask(says(raw(a_problem(**odd))), read)
    assert (type(caught).__name__, caught.code) == ("ToolError", "path_not_found")
    assert caught.source == "orchestrator"


async def test_a_problem_document_is_cut_to_what_a_person_reads(ask):
    """A detail of 6 MB took 2 GB and a minute to print; a hundred thousand fields are as many lines."""
    fields = [{"field": f"f{n}", "message": "m" * 1000} for n in range(10_000)]
    context = {"path": "p" * 5000, "fields": fields, "missing": ["h" * 5000] * 5000}
    document = a_problem(detail="A\n" * 3_000_000, hint="h" * 5000, context=context)
    _, caught = await ask(says(raw(document)), read)
    assert (caught.detail, caught.hint) == ("A\n" * (MOST_TEXT // 2) + "…", "h" * MOST_TEXT + "…")
    facts = caught.context
    assert (len(facts.path), len(facts.missing), len(facts.missing[0])) == (4001, 1000, 4001)
    assert [one.field for one in facts.fields] == [*(f"f{n}" for n in range(20)), "…"]
    assert {len(one.message) for one in facts.fields[:20]} == {201}
    assert facts.fields[20].message == "and 9980 more"


MANY = b'{"x": [%s0]}' % (b"0," * MOST_VALUES)


@pytest.mark.parametrize("status", [200, 404])
async def test_an_answer_of_too_many_values_is_refused_before_they_are_made(ask, status):
    """64 MiB of zeros, or of `{}`, became 12 GB in a minute."""
    _, caught = await ask(says(raw(MANY, status)), read)
    assert (caught.code, caught.source) == ("upstream_failed", "client")
    assert f"more than {MOST_VALUES} values" in caught.detail


async def test_an_event_of_too_many_values_is_refused_before_they_are_made(ask, monkeypatch):
    """Likewise: its data may be anything."""
    monkeypatch.setattr("agentic.api.following.ATTEMPTS", 1)
    _, caught = await ask(says(EVENTS + b"data: " + MANY + b"\n\n"), follow)
    assert (caught.code, caught.source) == ("upstream_failed", "client")
    assert f"more than {MOST_VALUES} values" in caught.detail


async def test_a_problem_of_a_code_that_is_not_known_is_upstream_failed(ask):
    """A newer service's: with its own words."""
    _, caught = await ask(says(raw(a_problem(code="too_new", detail="it is new"))), read)
    assert (caught.code, caught.detail) == ("upstream_failed", "it is new")


ODD_EVENTS = {
    "a turn without a number": ("turn.decided", {"calls": 1}),
    "a turn of odd calls": ("turn.decided", {"t": 1, "calls": "many"}),
    "a turn of odd usage": ("turn.decided", {"t": 1, "usage": [1]}),
    "a step without a name": ("step.started", {"n": 1}),
    "a step whose arguments are a list": ("step.started", a_step(arguments=[1])),
    "a step with an odd end": ("step.succeeded", a_step(status="perhaps")),
    "a failure with an odd error": ("step.failed", a_step(error="because")),
    "a piece of text without a place": ("text.delta", {"text": "x"}),
    "a question that is a list": ("run.awaiting_input", {"question": ["Which?"]}),
    "a turn that waits without a number": ("run.awaiting_approval", {"t": None}),
    "an answer without a decision": ("approval.received", {"steps": [1]}),
    "an answer about odd steps": ("approval.received", {"decision": "approve", "steps": ["x"]}),
    "an edit of odd steps": ("plan.replaced", {"steps": 7}),
    "a message without a text": ("message.received", {}),
    "a gap whose run is a list": ("gap", {"run": [1]}),
    "a gap of an odd status": ("gap", {"run": {"status": 7}}),
}


@pytest.mark.parametrize("kind", ODD_EVENTS)
async def test_an_event_whose_data_is_odd_ends_following_at_once(ask, kind):
    """It comes again on every connection: a dozen of them are of no use, a traceback even less."""
    name, data = ODD_EVENTS[kind]
    server, caught = await ask(says(EVENTS + sse(name, **data)), follow)
    assert (caught.code, caught.source) == ("upstream_failed", "client")
    assert name in caught.detail
    assert len(server.heads) == 1


async def test_the_data_of_an_event_that_nobody_reads_may_be_anything(ask):
    """Newer services tell more."""
    said = sse("run.pondered", 1, on=[1]) + sse("run.succeeded", 2, result="odd")
    _, events = await ask(says(EVENTS + said), follow)
    assert [event.seq for event in events] == [1, 2]


@pytest.mark.parametrize(
    "behaviour",
    [
        never_ends(EVENTS + b"data: ", b"x" * MEBIBYTE),
        never_ends(EVENTS, b"data: " + b"x" * MEBIBYTE + b"\n"),
        says(EVENTS + sse("run.started", event_id="käse")),
        says(EVENTS + sse("run.started", event_id="1" * 1000)),
        says(EVENTS + b'data: {"seq": 1}\n\n'),
        says(EVENTS + b"data: [" + b"[" * 100_000 + b"\n\n"),
        says(head(200, "Content-Encoding: gzip") + gzip.compress(sse("run.succeeded"))),
        says(raw(b"<html>502 Bad gateway", 502)),
    ],
    ids=["endless line", "endless event", "odd id", "long id", "no event", "deep", "packed", "502"],
)
async def test_an_event_stream_of_a_broken_server_is_given_up(ask, behaviour, monkeypatch):
    """After as many connections as any other fault."""
    monkeypatch.setattr("agentic.api.following.ATTEMPTS", 2)
    server, caught = await ask(behaviour, follow)
    assert (caught.code, caught.source) == ("upstream_failed", "client")
    assert len(server.heads) == 2


async def test_headers_of_an_event_stream_that_never_end_meet_the_deadline(ask, monkeypatch):
    """Only what follows them may take as long as the run."""
    monkeypatch.setattr("agentic.api.following.ATTEMPTS", 2)
    dripping = drips(b"HTTP/1.1 200 OK\r\nX: ", b"x")
    server, caught = await ask(dripping, follow, timeout=TIMEOUT)
    assert (caught.code, len(server.heads)) == ("deadline_exceeded", 2)


async def test_an_event_stream_that_is_alive_outlasts_the_deadline_of_answers(ask):
    """A run may take hours; comments show that somebody is there."""
    slow = drips(EVENTS, b": alive\n\n" * 10 + sse("run.succeeded", 2))
    _, events = await ask(slow, follow, timeout=TIMEOUT)
    assert [event.type for event in events] == ["run.succeeded"]


async def test_an_event_stream_that_falls_silent_is_left(ask, monkeypatch):
    """A peer that was cut off sends nothing, not even an end."""
    monkeypatch.setattr("agentic.api.following.ATTEMPTS", 1)
    monkeypatch.setattr("agentic.api.following.SILENCE", TIMEOUT)

    async def falls_silent(write):
        await write(EVENTS + sse("run.started"))
        await silent(write)

    _, caught = await ask(falls_silent, follow)
    assert caught.code == "deadline_exceeded"


@pytest.mark.parametrize(
    "key", ["a\nb", "a b", "a\r\nX-Evil: 1", "schlüssel", "\u2028", "a\0", "a\n"]
)
def test_an_api_key_that_no_header_can_hold_is_refused_and_not_told(key):
    """`$(cat file)` takes the line end away, other ways do not; the key itself stays out of logs."""
    with pytest.raises(ClientError) as caught:
        AgenticClient("http://127.0.0.1:8000", key)
    assert (caught.value.code, caught.value.source) == ("invalid_request", "client")
    assert key not in str(caught.value)


async def test_what_no_request_can_hold_is_refused_before_it_is_sent(ask):
    """Arguments of a command may be any bytes: Python has them as lone surrogates."""
    for work in (
        lambda client: client.runs(SESSION.id, cursor="\udcff"),
        lambda client: client.archives.receipts(SESSION.id, "\udcff"),
        lambda client: client.create_session(idempotency_key="ä"),
        lambda client: client.files.delete(SESSION.id, "a", key="a\nb"),
        lambda client: client.create_session(workspace="\udcff"),
    ):
        server, caught = await ask(silent, work, timeout=TIMEOUT)
        assert (caught.code, caught.source, server.heads) == ("invalid_request", "client", [])


def test_a_proxy_of_the_environment_that_cannot_be_used_is_told(monkeypatch):
    """The command inherits what others have set."""
    monkeypatch.setenv("ALL_PROXY", "carrier-pigeon://loft")
    with pytest.raises(ClientError, match="proxy"):
        AgenticClient("http://orchestrator.example")


def test_the_bound_of_an_answer_has_room_for_the_largest_run():
    """Outputs of 16 MiB, a plan, receipts: a run that ran must be readable."""
    assert MOST == 64 * MEBIBYTE
