"""Services that are held in the middle of a call."""

import signal
from pathlib import Path

import httpx

from tests.system.services import TOKEN


def hold(service):
    """Stop a service where it is: it takes requests, and answers none."""
    service.process.send_signal(signal.SIGSTOP)


def let_go(service):
    """Let it go on."""
    service.process.send_signal(signal.SIGCONT)


def is_under_way(service):
    """Tell whether bytes lie in a socket of a service that does not read them."""
    port = f":{service.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(port) and int(row[4].split(":")[1], 16) for row in rows)


async def audited_outcomes(pair, tool):
    """Return what the audit trail says of the calls of a tool, settlements included."""
    async with httpx.AsyncClient(
        base_url=pair.execution.url, headers={"Authorization": f"Bearer {TOKEN}"}
    ) as http:
        items = (await http.get("/v1/audit")).json()["items"]
    return [item["outcome"] for item in items if item["tool"] in (tool, "settle")]
