"""`make conformance`: the protocol's own suite against both services; needs npm and Node.js 22.

Exits 1 when a scenario fails that `expected.yaml` does not name, or passes that it names.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.system.services import execution_environment, orchestrator

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
"""The first that knows revision 2026-07-28."""
REVISIONS = ("2025-06-18", "2025-11-25", "2026-07-28")
EXPECTED = Path(__file__).parent / "expected.yaml"


def main() -> None:
    """Run the suite for each revision; print its summaries."""
    if shutil.which("npx") is None:
        sys.exit("make conformance needs npm, and Node.js 22 or newer")
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        execution = execution_environment(directory).start()
        main = orchestrator(directory, execution).start()
        try:
            codes = [_run(f"{main.url}/mcp/demo", revision, directory) for revision in REVISIONS]
        finally:
            main.stop()
            execution.stop()
    sys.exit(max(codes))


def _run(url: str, revision: str, directory: Path) -> int:
    expected = directory / f"{revision}.yaml"
    known = _scenarios(revision)
    kept = [line for line in EXPECTED.read_text().splitlines() if _is_about(line, revision, known)]
    expected.write_text("\n".join(kept) + "\n")
    print(f"== revision {revision}", flush=True)  # noqa: T201  # a command prints
    of = ("--spec-version", revision, "--suite", "all", "--expected-failures", str(expected))
    return subprocess.run(
        _suite("server", "--url", url, *of), cwd=directory, check=False
    ).returncode


def _is_about(line: str, revision: str, known: set[str]) -> bool:
    if not line.startswith("  - "):
        return True
    name, _, only = line[4:].partition(" # only ")
    return name in known and only in ("", revision)


def _scenarios(revision: str) -> set[str]:
    """Return the names of the scenarios that a revision has."""
    told = subprocess.run(_suite("list", "--server"), capture_output=True, text=True, check=True)
    rows = [line.split() for line in told.stdout.splitlines() if line.startswith("  - ")]
    return {row[1] for row in rows if revision in row[2]}


def _suite(*words: str) -> list[str]:
    return ["npx", "--yes", SUITE, *words]


if __name__ == "__main__":
    main()
