"""What a process has taken of the machine, as the kernel counts it."""

import os
import re
from pathlib import Path

from agentic.local.stack import Stack


def pid_of(stack: Stack, service: str) -> int:
    """Return the process of a service."""
    [pid] = [each.process.pid for each in stack.services if each.name == service]
    return pid


def store_socket(stack: Stack) -> str:
    """Return the path of the Unix socket of the store that the orchestrator embeds."""
    text = (stack.data_dir / "orchestrator" / "server.conf").read_text()
    [socket] = re.findall(r'^unixsocket "(.+)"$', text, re.MULTILINE)
    return str(socket)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> float:
    """Return the most memory that a process has had since its peak was reset, in MiB."""
    told = Path(f"/proc/{pid}/status").read_text()
    [kib] = re.findall(r"^VmHWM:\s+(\d+) kB$", told, re.MULTILINE)
    return int(kib) / 1024


def reset_peak(pid: int) -> None:
    """Begin the peak anew with what the process has now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
