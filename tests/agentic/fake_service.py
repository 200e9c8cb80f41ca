"""Stands in for a service: `python fake_service.py NAME BEHAVIOUR`, ready until SIGTERM.

Keeps its settings in NAME.env, what is posted in NAME.posted, and adds its name to `stopped`, all in the
working directory. `answers.json` there may say what the paths that end so are answered with.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

NAME, BEHAVIOUR = sys.argv[1:3]
PREFIX = {"execution_environment": "EXEC_ENV", "orchestrator": "ORCHESTRATOR"}[NAME]


class Handler(BaseHTTPRequestHandler):
    """Ready, unless the behaviour is otherwise."""

    def do_GET(self) -> None:
        """Answer any path."""
        path = self.path.partition("?")[0]
        told = Path("answers.json")
        answers = json.loads(told.read_text()) if told.exists() else {}
        body = next((text for end, text in answers.items() if path.endswith(end)), "").encode()
        self.send_response(503 if BEHAVIOUR == "never ready" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Note the body, and answer likewise."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        with Path(f"{NAME}.posted").open("a") as file:
            file.write(f"{body}\n")
        self.do_GET()


def stop(*_: object) -> None:
    """End in order; when lingering, not before the test lets go."""
    if BEHAVIOUR == "lingering" and not Path("release").exists():
        Path(f"{NAME}.asked").touch()
        return
    with Path("stopped").open("a") as file:
        file.write(f"{NAME}\n")
    sys.exit(0)


def main() -> None:
    """Serve."""
    sys.stdout.write(f"{NAME} speaking\n")
    sys.stdout.flush()
    if BEHAVIOUR == "dead at once":
        sys.exit("there is no disk")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if BEHAVIOUR == "stubborn" else stop)
    own = {key: value for key, value in os.environ.items() if key.startswith(PREFIX)}
    keys = sorted(key for key in os.environ if key.endswith("_API_KEY"))
    facts = {**own, "pid": os.getpid(), "sid": os.getsid(0), "keys": keys}
    Path(f"{NAME}.env").write_text(json.dumps(facts))
    HTTPServer(("127.0.0.1", int(own[f"{PREFIX}_PORT"])), Handler).serve_forever()


main()
