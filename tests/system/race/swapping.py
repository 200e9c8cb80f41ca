"""The swapper as a process: compiled here, paused while the ground is mended, ended and counted."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "swapper.c"
SPARE_SECONDS = 60
"""What the swapper gets on top before it ends by itself."""


def compile_swapper(directory: Path) -> Path:
    """Compile the swapper; fail with what to install where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.fail("the race needs a C compiler: apt-get install -y gcc libc6-dev", pytrace=False)
    binary = directory / "swapper"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(binary), str(SOURCE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        pytest.fail(f"the swapper does not compile (libc6-dev?): {done.stderr}", pytrace=False)
    return binary


class Swapper:
    """A running swapper."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.swaps: list[int] = []
        """How often each pair changed places; known once it has ended."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold it between two swaps: whoever looks at both names of a pair sees one moment."""
        self._process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), "the swapper ended by itself"
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Stop the swapping and take the counts."""
        self._process.terminate()
        output, _ = self._process.communicate(timeout=10)
        self.swaps = [int(line) for line in output.split()]


@contextmanager
def swapping(binary: Path, pairs: Sequence[tuple[Path, Path]], seconds: float) -> Iterator[Swapper]:
    """Swap all these pairs for the time of the context."""
    names = [str(name) for pair in pairs for name in pair]
    command = [str(binary), str(int(seconds) + SPARE_SECONDS), *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "swapping\n"
            swapper = Swapper(process)
            yield swapper
            swapper.end()
        finally:
            process.kill()
