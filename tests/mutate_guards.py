"""Drops each guard in turn and asks for a red test: `make mutate-guards`.

A guard that can be lost without a red test is not tested, however green everything is. All work is
done in copies, one for each processor. Exits 1 when the copy is not green as it is, when the text of a guard is no longer
there exactly once, or when a loss goes unnoticed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent
PACKAGES = ("agentic", "common", "execution_environment", "orchestrator", "tests")
FIRST = ("tests/execution_environment/test_primitives.py", "tests/common/test_models.py")
REST = "tests/execution_environment"
SLOW = "test_race.py"
TEST_SECONDS = 20
ALL_SECONDS = 300
"""How long one test, and one run of all of them, may take: the loss of a guard may hang."""
_RED = re.compile(r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", re.MULTILINE)

SYSCALLS = "execution_environment/sandbox/syscalls.py"
DESCRIPTORS = "execution_environment/sandbox/descriptors.py"
NAMES = "execution_environment/sandbox/names.py"
WALKING = "execution_environment/sandbox/walking.py"
CONTEXT = "common/context.py"


@dataclass(frozen=True)
class Guard:
    """One guard, and how its file reads without it."""

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...] = FIRST
    """The test files that are to notice; all of the package are asked when they do not."""


def guards_of(file: str, test: str, *texts: tuple[str, str, str]) -> tuple[Guard, ...]:
    """Return the guards of one file that one test file is to notice: name, text, text without."""
    return tuple(Guard(*(name, file, text, without), (test,)) for name, text, without in texts)


GUARDS = (
    Guard("RESOLVE_BENEATH", SYSCALLS, "RESOLVE = _RESOLVE_BENEATH | ", "RESOLVE = "),
    Guard("RESOLVE_NO_SYMLINKS", SYSCALLS, " | _RESOLVE_NO_SYMLINKS", ""),
    Guard("RESOLVE_NO_MAGICLINKS", SYSCALLS, " | _RESOLVE_NO_MAGICLINKS", ""),
    Guard("RESOLVE_NO_XDEV", SYSCALLS, " | _RESOLVE_NO_XDEV", ""),
    Guard("RENAME_NOREPLACE", SYSCALLS, "_RENAME_NOREPLACE = 1", "_RENAME_NOREPLACE = 0"),
    Guard("O_NOFOLLOW of READ", DESCRIPTORS, " | os.O_NOCTTY | os.O_NOFOLLOW", " | os.O_NOCTTY"),
    Guard("O_NONBLOCK of READ", DESCRIPTORS, "os.O_RDONLY | os.O_NONBLOCK", "os.O_RDONLY"),
    Guard("O_NOFOLLOW of ANY", DESCRIPTORS, "ANY = os.O_PATH | os.O_NOFOLLOW", "ANY = os.O_PATH"),
    Guard(
        "regular file, after the open",
        DESCRIPTORS,
        "        require_file(status, path)\n        yield descriptor, status\n",
        "        yield descriptor, status\n",
    ),
    Guard("path: empty", NAMES, "    if not raw:\n", "    if False:\n"),
    Guard("path: absolute", NAMES, '    if raw.startswith(b"/"):\n', "    if False:\n"),
    Guard("path: NUL", NAMES, '    if b"\\0" in raw:\n', "    if False:\n"),
    Guard("path: '..'", NAMES, '    if b".." in parts:\n', "    if False:\n"),
    Guard("path: overlong", NAMES, "    if len(raw) > MAX_PATH:\n", "    if False:\n"),
    Guard(
        "path: overlong name",
        NAMES,
        "    if any(len(part) > MAX_NAME for part in parts):\n",
        "    if False:\n",
    ),
    Guard(
        "path: lone surrogates", NAMES, "(path.encode())", '(path.encode(errors="surrogatepass"))'
    ),
    Guard(
        "user owns the root",
        CONTEXT,
        '    if self.allowed_paths_root.split("/")[0] != self.user_id:\n',
        "    if False:\n",
    ),
    Guard(
        "status before the close",
        WALKING,
        """as found:
        return [
            Entry((*parts, os.fsencode(item.name)), status)
            for item in found
            if (status := _status(item)) is not None
        ]
""",
        """as found:
        late = list(found)
    return [
        Entry((*parts, os.fsencode(item.name)), status)
        for item in late
        if (status := _status(item)) is not None
    ]
""",
    ),
    *guards_of(
        "execution_environment/sandbox/marks.py",
        f"{REST}/test_completer.py",
        ("mark: the time of birth", '{status.st_ino}@{birth}"', '{status.st_ino}"'),
    ),
    *guards_of(
        "execution_environment/sandbox/changes.py",
        f"{REST}/test_completer.py",
        ("no mark, no repetition", "        if rename.mark is None:\n", "        if False:\n"),
    ),
    *guards_of(
        "execution_environment/completer.py",
        f"{REST}/test_completer.py",
        (
            "intents of the living",
            "        return not intent.process or ",
            "        return True or ",
        ),
    ),
    *guards_of(
        "execution_environment/changing.py",
        f"{REST}/test_completer.py",
        ("the lock, to the end of the thread", "await to_its_end(", "await ("),
    ),
    *guards_of(
        "execution_environment/sandbox/writing.py",
        f"{REST}/test_usage.py",
        ("one change of a place", "        self._plan.add(parts)\n", ""),
        (
            "a user's directory, outside any change",
            "            self._mover.make_above(self._paths.base)\n",
            "            pass\n",
        ),
    ),
    *guards_of(
        "execution_environment/tools/delete_path.py",
        f"{REST}/test_usage.py",
        (
            "trees measured under the lock",
            "        return self.recursive\n",
            "        return False\n",
        ),
    ),
    *guards_of(
        "execution_environment/state/reservations.py",
        f"{REST}/test_usage.py",
        (
            "staged bytes of all calls",
            "            if size > 0 and taken + size > limit:\n",
            "            if False:\n",
        ),
    ),
)


class Unusable(Exception):
    """The guards cannot be tried; the message says why."""


def main() -> None:
    """Try all guards in copies, print a table, and end with what is wrong, if anything."""
    with tempfile.TemporaryDirectory(prefix="mutate-guards-") as scratch:
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
    return copy


def _try_all(copies: list[Path]) -> list[str]:
    """Print a row for each guard; return the names of those whose loss went unnoticed."""
    without = {guard: _source_without(guard, copies[0]) for guard in GUARDS}
    red = _red_test(copies[0], _all_tests(copies[0]))
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
    path = copy / guard.file
    source = path.read_text()
    path.write_text(without)
    try:
        return _red_test(copy, guard.tests) or _red_test(copy, _all_tests(copy))
    finally:
        path.write_text(source)
        free.put(copy)


def _red_test(copy: Path, tests: Sequence[str]) -> str | None:
    """Run the tests until one turns red; return its name, or None when all are green."""
    code, output = _run_tests(copy, tests)
    if code == 0:
        return None
    found = _RED.search(output)
    if code != 1 or found is None:
        raise Unusable(f"the tests could not be run (exit code {code}):\n{output[-2000:]}")
    return found[1]


def _all_tests(copy: Path) -> list[str]:
    rest = (path for path in sorted((copy / REST).rglob("test_*.py")) if path.name != SLOW)
    names = [*FIRST, *(str(path.relative_to(copy)) for path in rest)]
    return list(dict.fromkeys(names))


def _run_tests(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=no"]
    command += [f"--timeout={TEST_SECONDS}", *tests]
    # No bytecode: a mutated file may have the size and the second of the one before it.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=copy, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True
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
