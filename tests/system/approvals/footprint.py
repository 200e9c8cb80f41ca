"""What a process holds at a moment, as the kernel tells it."""

from pathlib import Path
from typing import NamedTuple

MIB = 1024


class Footprint(NamedTuple):
    """Memory in MiB, and open descriptors, of which some are sockets."""

    memory: float
    descriptors: int
    sockets: int

    def __str__(self):
        return f"{self.memory:.0f} MiB, {self.descriptors} descriptors, {self.sockets} sockets"


def footprint(service):
    """Return what a service's process holds now."""
    process = Path(f"/proc/{service.process.pid}")
    told = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    targets = [_target(descriptor) for descriptor in (process / "fd").iterdir()]
    sockets = sum(target.startswith("socket:") for target in targets)
    return Footprint(int(told["VmRSS"].split()[0]) / MIB, len(targets), sockets)


def _target(descriptor):
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # closed since
        return ""
