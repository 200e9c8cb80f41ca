"""Drops each guard of the sandbox in turn and asks for a red test: `make mutate-guards`.

A guard that can be lost without a red test is not tested, however green everything is. All work is
done in a copy. Exits 1 when the copy is not green as it is, when the text of a guard is no longer
there exactly once, or when a loss goes unnoticed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "execution_environment", "tests")
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
)


class Unusable(Exception):
    """The guards cannot be tried; the message says why."""


def main() -> None:
    """Try all guards in a copy, print a table, and end with what is wrong, if anything."""
    with tempfile.TemporaryDirectory(prefix="mutate-guards-") as scratch:
        copy = _copied(Path(scratch))
        try:
            unnoticed = _try_all(copy)
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


def _try_all(copy: Path) -> list[str]:
    """Print a row for each guard; return the names of those whose loss went unnoticed."""
    without = {guard: _source_without(guard, copy) for guard in GUARDS}
    red = _red_test(copy)
    if red is not None:
        raise Unusable(f"the copy is red before anything is dropped from it: {red}")
    _say("| guard | file | test that turned red |\n|---|---|---|")
    unnoticed = []
    for guard in GUARDS:
        red = _red_without(guard, without[guard], copy)
        _say(f"| {guard.name} | {guard.file} | {red or '**none**'} |")
        if red is None:
            unnoticed.append(guard.name)
    return unnoticed


def _source_without(guard: Guard, copy: Path) -> str:
    source = (copy / guard.file).read_text()
    count = source.count(guard.text)
    if count != 1:
        raise Unusable(f"{guard.name}: {guard.file} has {guard.text!r} {count} times, not once")
    return source.replace(guard.text, guard.without)


def _red_without(guard: Guard, without: str, copy: Path) -> str | None:
    path = copy / guard.file
    source = path.read_text()
    path.write_text(without)
    try:
        return _red_test(copy)
    finally:
        path.write_text(source)


def _red_test(copy: Path) -> str | None:
    """Run the tests until one turns red; return its name, or None when all are green."""
    code, output = _run_tests(copy)
    if code == 0:
        return None
    found = _RED.search(output)
    if code != 1 or found is None:
        raise Unusable(f"the tests could not be run (exit code {code}):\n{output[-2000:]}")
    return found[1]


def _tests(copy: Path) -> list[str]:
    """Return the files in this order: where a loss makes others hang, the first tell it at once."""
    rest = (path for path in sorted((copy / REST).rglob("test_*.py")) if path.name != SLOW)
    names = [*FIRST, *(str(path.relative_to(copy)) for path in rest)]
    return list(dict.fromkeys(names))


def _run_tests(copy: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=no"]
    command += [f"--timeout={TEST_SECONDS}", *_tests(copy)]
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
