"""The command: proving an audit trail offline."""

import subprocess
import sys

from tests.execution_environment.audit.trails import files_of, write_trail


def test_verify_audit_names_the_line(tmp_path):
    """Offline, with an exit code for scripts."""
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True)
    trail_dir = write_trail(state)
    command = [sys.executable, "-m", "execution_environment", "verify-audit", tmp_path / "data"]

    def verify():
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert verify().stdout.endswith("2 chains, 16 records: nothing is missing\n")
    path = files_of(trail_dir)[0]
    path.write_text(path.read_text().replace('"n":1', '"n":7', 1))
    ended = verify()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "line 2: the line is not as it was written" in ended.stderr
    path.parent.rename(tmp_path / "gone")
    assert verify().returncode == 2
