"""SIGKILL at any moment, a restart, the same call again: every effect exactly once.

`make crash ROUNDS=200` makes more rounds. The control, with the ledger switched off, must show a
doubled effect in the same harness.
"""

import itertools
import os
import random
import shutil
import sys
import threading
from typing import Any

import httpx
import pytest

from tests.system.crash.changes import CHANGES, LINE, OLD, fill, require
from tests.system.services import TOKEN, Service, execution_environment

ROUNDS = int(os.environ.get("ROUNDS", "11"))
SEED = int(os.environ.get("SEED", "4711"))
LATEST = 0.12
"""Seconds after sending within which the kill comes: the calls take about as long."""


@pytest.fixture
def service(tmp_path):
    """An execution environment that is ended afterwards, whatever state it is in."""
    service = execution_environment(tmp_path).start()
    yield service
    service.kill()


def post(
    service: Service, workspace: str, call_id: str, tool: str, arguments: dict[str, Any]
) -> Any:
    """Make a call; raise httpx.TransportError when the service dies over it."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if tool == "upload_file":
        answer = httpx.put(
            f"{service.url}/v1/files/local/{workspace}/{arguments['path']}",
            content=arguments["content"].encode(),
            headers={**headers, "Idempotency-Key": call_id},
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()
    context = {
        "request_id": "req_crash", "user_id": "local", "timeout": 30,
        "request_source": {"kind": "internal"}, "allowed_paths_root": f"local/{workspace}",
    }  # fmt: skip
    call = {
        "id": call_id, "fence": 0, "tool": tool, "arguments": arguments, "context": context,
    }  # fmt: skip
    answer = httpx.post(
        f"{service.url}/v1/tool-calls",
        json=call,
        headers=headers,
        timeout=30,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def cut_short(service: Service, delay: float | None, *call) -> bool:
    """Make a call and kill the service after so many seconds; tell whether there was an answer.

    Without a delay the kill comes right after the answer, which is then taken as lost.
    """
    answers = []

    def send():
        try:
            answers.append(post(service, *call))
        except httpx.TransportError:
            return

    sending = threading.Thread(target=send)
    sending.start()
    sending.join(delay)
    service.kill()
    sending.join()
    return bool(answers)


def test_every_effect_of_a_killed_service_happens_once(service, tmp_path, capsys):
    """Old or new and never partial; retried, in half of the rounds after another change."""
    chance = random.Random(SEED)  # noqa: S311  # to be repeated, not to be secret
    data, seen = tmp_path / "data", {"answered": 0, "after the intent": 0, "before it": 0}
    for number, name in zip(range(ROUNDS), itertools.cycle(CHANGES), strict=False):
        change, workspace = CHANGES[name], f"w{number}"
        directory = data / "workspaces" / "local" / workspace
        fill(directory)
        call = (workspace, f"call-{number}", change.tool, change.arguments)
        is_answered = cut_short(service, chance.uniform(0.0, LATEST), *call)
        service.start()
        is_meddled = chance.random() < 0.5
        if is_meddled:
            post(service, workspace, f"meddle-{number}", *change.meddle)
        is_replayed = post(service, *call)["replayed"]
        assert is_replayed or not is_answered
        wanted = (change.replayed if is_replayed else change.anew) if is_meddled else change.after
        require(directory, wanted)
        key = "answered" if is_answered else "after the intent" if is_replayed else "before it"
        seen[key] += 1
        shutil.rmtree(directory)
    service.kill()
    service.start()
    assert staged(data) == []
    with capsys.disabled():
        sys.stdout.write(f"\n{ROUNDS} crashes (seed {SEED}): {seen}, each effect exactly once\n")


def staged(data):
    """Return what lies in staging, beside the live process's own empty directory."""
    return list((data / "state/staging").glob("*/*"))


def test_without_the_ledger_an_effect_is_doubled(tmp_path):
    """The control: the same harness sees a double when nothing is remembered."""
    service = execution_environment(tmp_path)
    service.module = "tests.system.crash.forgetful"
    service.start()
    directory = tmp_path / "data" / "workspaces" / "local" / "w"
    fill(directory)
    call = ("w", "call", "append_file", {"path": "file", "content": LINE})
    assert cut_short(service, None, *call)
    service.start()
    assert not post(service, *call)["replayed"]
    service.kill()
    require(directory, {"file": OLD + LINE + LINE})
