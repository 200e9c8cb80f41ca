"""A start that fails says why."""

import asyncio
import re
import signal
import subprocess
import sys

import pytest

from orchestrator.store.server.formats import FORMAT


@pytest.mark.parametrize("wrong", ["newer", "broken", "no such provider"])
async def test_startup_that_is_refused_says_why_in_one_line(url, real_redis, tmp_path, wrong):
    """Whoever reads the log of a container that keeps ending needs no traceback."""
    await real_redis.set("agentic:format", FORMAT + 1)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "appendonlydir").write_text("in the way")
    more = {
        "newer": {"ORCHESTRATOR_REDIS_URL": url},
        "broken": {"ORCHESTRATOR_DATA_DIR": str(tmp_path / "broken")},
        "no such provider": {
            "ORCHESTRATOR_DATA_DIR": str(tmp_path / "unused"),
            "ORCHESTRATOR_MODEL": "nobody:m",
        },
    }[wrong]
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "orchestrator"],
        env={"PATH": "", "ORCHESTRATOR_PORT": "0", "ORCHESTRATOR_EXECUTION_URL": "http://127.0.0.1:1",
             "ORCHESTRATOR_SERVICE_TOKEN": "t", "ORCHESTRATOR_LOG_FORMAT": "console", **more},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert "Traceback" not in ended.stderr
    told = {
        "newer": f"the session store cannot be used: its format is {FORMAT + 1}",
        "broken": r"server\.log",
        "no such provider": "the model nobody:m cannot be used",
    }
    assert len(re.findall(told[wrong], ended.stderr)) == 1
