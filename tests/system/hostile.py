"""A load of hostile callers: calls that compute for as long as they are let, again and again."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from tests.execution_environment.searching.patterns import SLOW, slow_text
from tests.system.hostile_connections import ATTACKS, Attack
from tests.system.services import TOKEN

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
DEADLINE = 2.0
"""Seconds that a hostile call asks for."""
CROWD = 3000
AT_WORK = b"at work\n"
"""What a load says when all of it has come to be felt."""
PATIENCE = 60.0
"""Seconds until each caller must have got an answer."""
_HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
_LETTERS = "".join(chr(0x100 + number) for number in range(150))


def prepare(workspace: Path) -> None:
    """Lay out what the calls are about."""
    workspace.mkdir(parents=True)
    (workspace / "slow").write_bytes(slow_text(MIB))
    (workspace / "lines").write_text(f"ab{'x' * 21}\n" * (MIB // 4))
    (workspace / "newlines").write_text("\n" * 8 * MIB)
    (workspace / "long").write_text(_LETTERS * 2000)
    (workspace / "old").write_text("".join(f"p{n % 101}\n" for n in range(2000)))
    with (workspace / "sparse").open("wb") as file:
        file.truncate(2**40)
    (workspace / "crowd").mkdir()
    for number in range(CROWD):
        (workspace / "crowd" / f"{number:05d}-{'ab' * 60}").touch()


def calls() -> list[bytes]:
    """Return one call of each kind, ready to be sent."""
    new = "".join(f"p{n % 101}\nu{n}\n" for n in range(1000))
    insertions = [{"insert_at_line": 4 * MIB, "text": str(n)} for n in range(1000)]
    hint = [{"old_text": "x" + _LETTERS[::-1] * 2000, "new_text": ""}]
    missing = [f"crowd/{number:05d}-{'ba' * 60}" for number in range(100)]
    return [
        _call("search_files", path="slow", pattern=SLOW),
        _call("search_files", path="lines", pattern="a", context=20, limit=1000),
        _call("edit_file", path="newlines", edits=insertions),
        _call("edit_file", path="long", edits=hint),
        _call("read_files", paths=missing),
        _call("apply_patch", patch="\n" * 1_100_000),
        _call("read_file", path="sparse", max_lines=1),
        _call("search_files", path="sparse", pattern="x"),
        _call("find_files", glob="*a" * 400 + "*b"),
        _call("write_file", path="old", content=new, mode="replace"),
    ]


def call_of(user: str, tool: str, *, timeout: float, dry_run: bool = False, **arguments) -> bytes:
    """Return the body of a tool call in the user's workspace `demo`."""
    context = {
        "request_id": "req_hostile", "user_id": user, "timeout": timeout,
        "request_source": {"kind": "internal"}, "allowed_paths_root": f"{user}/demo",
    }  # fmt: skip
    body = {"id": os.urandom(8).hex(), "fence": 0, "tool": tool, "arguments": arguments}
    return json.dumps(body | {"context": context, "dry_run": dry_run}).encode()


def _call(tool: str, **arguments) -> bytes:
    return call_of("eve", tool, timeout=DEADLINE, dry_run=True, **arguments)


class Caller:
    """One client on a connection of its own."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Return the status and body of an answer."""
        self._connection.request("GET", path)
        return self._answer()

    def call(self, body: bytes) -> tuple[int, bytes]:
        """Return the status and body of a tool call's answer."""
        self._connection.request("POST", "/v1/tool-calls", body, _HEADERS)
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        answer = self._connection.getresponse()
        return answer.status, answer.read()


class Load:
    """Callers in a process of their own, so that they take no turns from those who measure."""

    def __init__(self, port: int, callers: int) -> None:
        """Begin, and wait until each caller has got an answer."""
        command = [sys.executable, "-m", "tests.system.hostile", str(port), str(callers)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == AT_WORK

    def stop(self) -> list[tuple[str, float]]:
        """End it, and return how each call ended, and after how many seconds."""
        answers, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return [(code, taken) for code, taken in json.loads(answers)]


class _Callers:
    """Threads, each at its kind of call until it is stopped or the service is gone.

    Beside them go attacks on the connections themselves, which need no token.
    """

    def __init__(self, port: int, callers: int) -> None:
        kinds = calls()
        self._port = port
        self._callers = callers
        self._stop = threading.Event()
        self._answered = threading.Semaphore(0)
        self.codes: list[tuple[str, float]] = []
        self._threads = [
            threading.Thread(target=self._go_on, args=(kinds[number % len(kinds)],), daemon=True)
            for number in range(callers)
        ]
        self._threads += [
            threading.Thread(target=self._attack, args=(attack,), daemon=True) for attack in ATTACKS
        ]

    def run_until_told(self) -> None:
        """Say when each has got an answer, and go on until the standard input ends."""
        for thread in self._threads:
            thread.start()
        for _ in range(self._callers):
            assert self._answered.acquire(timeout=PATIENCE), "a caller got no answer"
        sys.stdout.buffer.write(AT_WORK)
        sys.stdout.flush()
        sys.stdin.read()
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _attack(self, attack: Attack) -> None:
        with suppress(OSError):  # cut off by the end of the service
            attack("127.0.0.1", self._port, self._stop)

    def _go_on(self, body: bytes) -> None:
        with (
            closing(Caller(self._port)) as caller,
            suppress(OSError, http.client.HTTPException, ValueError),  # cut off, as above
        ):
            self._call(caller, body)
            self._answered.release()
            while not self._stop.is_set():
                self._call(caller, body)

    def _call(self, caller: Caller, body: bytes) -> None:
        begun = time.monotonic()
        _, answer = caller.call(body)
        code = json.loads(answer).get("code", "ok")
        self.codes.append((code, time.monotonic() - begun))


if __name__ == "__main__":
    os.nice(15)  # the attackers' processors are not the service's
    load = _Callers(int(sys.argv[1]), int(sys.argv[2]))
    load.run_until_told()
    json.dump(load.codes, sys.stdout)
