"""Drops each guard in turn and asks for a red test: `make mutate-guards`.

A guard that can be lost without a red test is not tested, however green everything is. All work is
done in copies, one for each processor. A guard's own test is tried first, and where it stays green
all of them. Exits 1 when a test is red as it is, when the text of a guard is no longer there exactly
once, or when a loss goes unnoticed.
"""

import compileall
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.guards import GUARDS, Guard

ROOT = Path(__file__).parent.parent
PACKAGES = ("agentic", "common", "execution_environment", "orchestrator", "tests")
REST = "tests/execution_environment"
TEST_SECONDS = 20
ALL_SECONDS = 300
"""How long one test, and one run of all of them, may take: the loss of a guard may hang."""
_RED = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)


class Unusable(Exception):
    """The guards cannot be tried; the message says why."""


def main() -> None:
    """Try all guards in copies, print a table, and end with what is wrong, if anything."""
    with tempfile.TemporaryDirectory(
        prefix="mutate-guards-", ignore_cleanup_errors=True
    ) as scratch:
        copies = [_copied(Path(scratch) / str(number)) for number in range(os.cpu_count() or 1)]
        try:
            unnoticed = _try_all(copies)
        except Unusable as error:
            sys.exit(str(error))
    _say(f"\n{len(GUARDS) - len(unnoticed)} of {len(GUARDS)} losses were noticed")
    if unnoticed:
        sys.exit(f"no test notices the loss of: {'; '.join(unnoticed)}")


def _copied(copy: Path) -> Path:
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", copy)
    compileall.compile_dir(copy, quiet=1)
    return copy


def _try_all(copies: list[Path]) -> list[str]:
    """Print a row for each guard; return the names of those whose loss went unnoticed."""
    without = {guard: _source_without(guard, copies[0]) for guard in GUARDS}
    red = _red_test(copies[0], ["-n", "auto", *_own_tests()])
    if red is not None:
        raise Unusable(f"the copy is red before anything is dropped from it: {red}")
    _say("| guard | file | test that turned red |\n|---|---|---|")
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)
    unnoticed = []
    with ThreadPoolExecutor(len(copies)) as pool:
        reds = pool.map(lambda guard: _red_without(guard, without[guard], free), GUARDS)
        for guard, found in zip(GUARDS, reds, strict=True):
            _say(f"| {guard.name} | {guard.file} | {found or '**none**'} |")
            unnoticed += [] if found else [guard.name]
    return unnoticed


def _source_without(guard: Guard, copy: Path) -> str:
    source = (copy / guard.file).read_text()
    count = source.count(guard.text)
    if count != 1:
        raise Unusable(f"{guard.name}: {guard.file} has {guard.text!r} {count} times, not once")
    return source.replace(guard.text, guard.without)


def _red_without(guard: Guard, without: str, free: SimpleQueue[Path]) -> str | None:
    copy = free.get()
    try:
        own = _red_while(copy, guard, without, [guard.test])
        return own or _red_elsewhere(copy, guard, without)
    finally:
        free.put(copy)


def _red_elsewhere(copy: Path, guard: Guard, without: str) -> str | None:
    rest = sorted((copy / REST).rglob("test_*.py"))
    own = [test.partition("::")[0] for test in _own_tests()]
    tests = [*own, *(str(path.relative_to(copy)) for path in rest)]
    red = _red_while(copy, guard, without, list(dict.fromkeys(tests)))
    if red is not None and _red_test(copy, [red]):
        raise Unusable(f"{red} is red before anything is dropped")
    return red


def _red_while(copy: Path, guard: Guard, without: str, tests: Sequence[str]) -> str | None:
    path = copy / guard.file
    source = path.read_text()
    path.write_text(without)
    try:
        return _red_test(copy, tests)
    finally:
        path.write_text(source)


def _red_test(copy: Path, tests: Sequence[str]) -> str | None:
    """Run tests (and with options of pytest) until one turns red; return its name, or None when all are green."""
    code, output = _run_tests(copy, tests)
    if code == 0:
        return None
    found = _RED.search(output)
    if code != 1 or found is None:
        raise Unusable(f"the tests could not be run (exit code {code}):\n{output[-2000:]}")
    return found[1]


def _own_tests() -> list[str]:
    tests = dict.fromkeys(guard.test for guard in GUARDS)
    return [test for test in tests if "::" not in test or test.partition("::")[0] not in tests]


def _run_tests(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    # A directory of its own: in pytest's common one, runs side by side clear away each other's leftovers.
    # What a test that was cut short still writes there goes with the scratch directory.
    with tempfile.TemporaryDirectory(dir=copy.parent, ignore_cleanup_errors=True) as directory:
        return _run_pytest(copy, [f"--basetemp={directory}/t", *tests])


def _run_pytest(copy: Path, arguments: Sequence[str]) -> tuple[int, str]:
    # Asserts as they are: what a red test leaves open is collected while another module is rewritten,
    # and Python 3.11's parser does not bear that. Which test is red is all that is asked.
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=no", "--assert=plain"]
    command += ["-p", "no:schemathesis"]  # a second of each run, and no guard's test needs it
    command += [f"--timeout={TEST_SECONDS}", *arguments]
    # No bytecode of a mutated file: it may have the size and the second of the one before it.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command,
        cwd=copy,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # what a red test leaves open is told there, by the page
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=ALL_SECONDS)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise Unusable(f"the tests took longer than {ALL_SECONDS} seconds") from error
    return process.returncode, output


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
