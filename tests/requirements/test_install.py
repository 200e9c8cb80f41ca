"""The set-up script, on a checkout of its own with an index that is a folder."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.requirements.wheels import digest, make_wheel, publish

SCRIPT = Path(__file__).parents[2] / "requirements" / "install"
FAILED = "set-up failed: "
RM_THAT_DIES = """#!/bin/sh
[ "$1" = -f ] && exec /bin/rm "$@"
shift
for path; do
    [ -d "$path" ] || /bin/rm "$path"
    /bin/rm -f "$path/pyvenv.cfg" "$path/set-up.log" "$path/.set-up"
done
kill -KILL $PPID
"""
"""Takes away what tells that an environment is one, and is killed with whoever called it."""


class Checkout:
    """A folder with the script, two parts to install, and an index that has them."""

    def __init__(self, directory, index):
        self.directory = directory
        self._index = index
        requirements = directory / "requirements"
        requirements.mkdir(parents=True)
        shutil.copy(SCRIPT, requirements)
        (directory / "pyproject.toml").write_text('[project]\nrequires-python = ">=3.11,<4.0"\n')
        self.lock("run", "lamp")
        self.lock("dev", "ladder")

    def lock(self, part, name, requires=None):
        """Make a part consist of one package, and offer that."""
        wheel = make_wheel(self._index.parent, name, "1.0", requires)
        publish(self._index, name, [wheel])
        locked = f"{name}==1.0 --hash=sha256:{digest(wheel)}\n"
        (self.directory / "requirements" / f"{part}.txt").write_text(locked)

    def install(self, *parts, **environment):
        """Run the script; return its exit status and the lines that it printed."""
        with self.start(*parts, **environment) as process:
            told, errors = process.communicate()
        return SimpleNamespace(
            status=process.returncode, told=told.splitlines(), errors=errors.splitlines()
        )

    def start(self, *parts, **environment):
        """Start the script; return its process."""
        return subprocess.Popen(
            [self.directory / "requirements" / "install", ".venv", *(parts or ("run", "dev"))],
            env={
                **clean_environment(self._index.as_uri()),
                "PYTHON": sys.executable,
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def has(self, name):
        """Tell whether a package is installed."""
        return any(self.directory.glob(f".venv/lib/*/site-packages/{name}-1.0.dist-info"))


def clean_environment(index_url):
    """Return this process's environment without what steers pip or a make within this one."""
    steering = ("PIP", "PYTHON", "MAKE", "MFLAGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index_url}


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout in which nothing is set up."""
    return Checkout(tmp_path / "checkout", tmp_path / "simple")


def python_with(directory, startup):
    """Return a Python that has run this code before it does anything else."""
    directory.mkdir()
    (directory / "sitecustomize.py").write_text(f"import sys\n{startup}\n")
    python = directory / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{directory}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


def test_set_up_does_what_is_missing_and_tells_each_step(checkout, tmp_path):
    """Running waits for no tools; what stands is left alone; what was locked anew is installed."""
    first = checkout.install("run")
    assert (first.status, first.errors) == (0, [])
    steps = ["Python", "run.txt", "complete"]
    assert [step in line for step, line in zip(steps, first.told, strict=True)] == [True] * 3
    assert (checkout.has("lamp"), checkout.has("ladder")) == (True, False)

    assert ["dev.txt" in line for line in checkout.install().told] == [True, False]
    assert checkout.has("ladder")
    assert checkout.install().told == []
    (tmp_path / "python3").symlink_to("/bin/false")
    path = f"{tmp_path}:{os.environ['PATH']}"
    # whoever named a Python need not do it again
    assert checkout.install(PYTHON="", PATH=path).told == []

    checkout.lock("dev", "drill")
    assert "Python" in checkout.install("run").told[0]
    assert checkout.install().status == 0
    assert (checkout.has("drill"), checkout.has("ladder")) == (True, False)


def test_an_environment_that_no_longer_fits_is_made_anew(checkout, tmp_path):
    """Scripts in it name its folder and its Python: they would run the wrong code, or none."""
    assert checkout.install("run").status == 0

    checkout.directory = checkout.directory.rename(tmp_path / "elsewhere")
    assert "Python" in checkout.install("run").told[0]
    script = checkout.directory / ".venv" / "bin" / "pip"
    assert str(checkout.directory) in script.read_text()

    python = script.with_name("python")
    python.unlink()
    python.symlink_to(tmp_path / "an interpreter that was upgraded away")
    assert "Python" in checkout.install("run").told[0]

    other = python_with(tmp_path / "other", "sys.version_info = (*sys.version_info[:2], 99)")
    assert ".99 " in checkout.install("run", PYTHON=other).told[0]
    assert checkout.install("run", PYTHON=other).told == []


@pytest.mark.parametrize(
    ("startup", "told"),
    [
        ("sys.version_info = (3, 9, 18)", "is Python 3.9.18: install 3.11 or newer"),
        ("sys.modules['ensurepip'] = None", "lacks venv: install it"),
        ("sys.exit('broken')", "does not run: install Python 3.11 or newer"),
    ],
)
def test_a_python_that_will_not_do_is_told_in_one_line(checkout, tmp_path, startup, told):
    """And it says what to do; an environment that is there is not removed for it."""
    kept = checkout.directory / ".venv" / "pyvenv.cfg"
    kept.parent.mkdir()
    kept.touch()
    failed = checkout.install("run", PYTHON=python_with(tmp_path / "unfit", startup))
    [line] = failed.errors
    assert (failed.status, failed.told) == (1, [])
    assert line.startswith(FAILED)
    assert told in line
    assert "make run PYTHON=" in line
    assert kept.exists()


def test_what_is_no_environment_is_not_removed(checkout):
    """A directory that was named by mistake may hold somebody's work."""
    work = checkout.directory / ".venv" / "work"
    work.parent.mkdir()
    work.touch()
    failed = checkout.install("run")
    assert failed.errors == [f"{FAILED}'.venv' is in the way: it is not a virtual environment"]
    assert work.exists()


@pytest.mark.parametrize(("begun", "told"), [(True, "Python"), (False, "dev.txt")])
def test_what_was_left_half_done_is_made_anew(checkout, tmp_path, begun, told):
    """Pip takes half a package for a whole one; a failed download has not touched anything."""
    assert checkout.install("run").status == 0
    pip = tmp_path / "pip"
    pip.write_text(f'#!/bin/sh\necho {"Installing collected packages: ladder" * begun}\nexit 1\n')
    pip.chmod(0o755)
    assert checkout.install(SETUP_PIP=str(pip)).status == 1
    assert told in checkout.install().told[0]
    assert checkout.has("ladder")


def test_an_emptying_that_was_cut_short_is_begun_anew(checkout, tmp_path):
    """Whatever was removed first, what is left is ours, and is not taken for whole."""
    assert checkout.install("run").status == 0
    (tmp_path / "rm").write_text(RM_THAT_DIES)
    (tmp_path / "rm").chmod(0o755)
    checkout.lock("run", "bulb")
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert checkout.install("run", PATH=path).status != 0
    assert (checkout.directory / ".venv" / "lib").exists()
    assert "Python" in checkout.install("run").told[0]
    assert (checkout.has("bulb"), checkout.has("lamp")) == (True, False)


def test_an_empty_directory_is_taken(checkout):
    """A volume that is mounted there cannot be removed."""
    (checkout.directory / ".venv").mkdir()
    before = (checkout.directory / ".venv").stat().st_ino
    assert checkout.install("run").status == 0
    assert (checkout.directory / ".venv").stat().st_ino == before


def test_what_newer_pips_say_first_is_not_taken_for_the_reason(checkout, tmp_path):
    """They name a kind of error, which helps nobody, and then say what happened."""
    pip, reason = tmp_path / "pip", "\N{MULTIPLICATION SIGN} there is no compiler"
    pip.write_text(f"#!/bin/sh\necho 'error: a-kind-of-error'\necho '{reason}'\nexit 1\n")
    pip.chmod(0o755)
    assert checkout.install("run").status == 0
    [line] = checkout.install(SETUP_PIP=str(pip)).errors
    assert line.startswith(f"{FAILED}{reason} (")


def test_a_dependency_that_is_missing_is_told_each_time(checkout):
    """What does not fit together is not complete, however often one asks."""
    checkout.lock("run", "lamp", requires="bulb")
    told = [checkout.install("run").errors for _ in range(2)]
    assert told == [[f"{FAILED}lamp 1.0 requires bulb, which is not installed."]] * 2


def test_a_users_settings_do_not_lead_pip_elsewhere(checkout, tmp_path):
    """Each of these would have set-up fail, or report success and install nothing."""
    elsewhere, broken = tmp_path / "elsewhere", tmp_path / "broken"
    (broken / "pip").mkdir(parents=True)
    (broken / "pip" / "__init__.py").write_text("raise SystemExit('not this one')")
    steering = dict.fromkeys(
        ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT"), str(elsewhere)
    )
    steering.update(
        PIP_DRY_RUN="1", PIP_USER="1", PIP_QUIET="1", PYTHONPATH=str(broken), CDPATH="."
    )
    steering.update(PIP_PLATFORM="win32", PYTHONINSPECT="1", PYTHONHASHSEED="bad")
    assert checkout.install("run", **steering).errors == []
    assert checkout.has("lamp")
    assert not elsewhere.exists()
    assert checkout.install("run", **steering).told == []


def test_a_checkout_that_cannot_be_written_is_told_in_one_line(checkout):
    """The shell itself would end there, with a line of its own."""
    project = checkout.directory / "pyproject.toml"
    project.unlink()
    project.mkdir()  # cannot be written, by root either
    assert checkout.install().errors == [f"{FAILED}'{checkout.directory}' cannot be written"]


def test_two_at_once_wait_for_each_other(checkout):
    """Two terminals, or make -j."""
    with ThreadPoolExecutor() as pool:
        both = [pool.submit(checkout.install, "run") for _ in range(2)]
    waited, made = sorted((one.result().told for one in both), key=len)
    assert (waited, len(made)) == (["set-up: waits for another set-up here"], 3)
    assert [one.result().errors for one in both] == [[], []]


def test_one_is_started_while_another_has_the_lock(checkout):
    """It ended with "bad interpreter: Text file busy": the lock was on the script itself."""
    with (checkout.directory / "pyproject.toml").open("a") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        process = checkout.start("run")
        assert process.stdout.readline() == "set-up: waits for another set-up here\n"
    with process:
        process.communicate()
    assert process.returncode == 0


def test_an_index_that_does_not_answer_is_told_in_one_line(checkout):
    """Pip itself would say that there is no such release. The next try succeeds."""
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/simple"
        failed = checkout.install("run", PIP_INDEX_URL=url, PIP_RETRIES="1")
    [line] = failed.errors
    assert failed.status == 1
    assert line.startswith(f"{FAILED}the package index does not answer: ")
    assert line.endswith("(all that pip said: .venv/set-up.log)")
    assert checkout.install("run").status == 0
    assert checkout.has("lamp")


def test_a_file_that_is_not_the_locked_one_is_refused_in_one_line(checkout, tmp_path):
    """A release that was replaced after it was locked must not get in."""
    checkout.lock("run", "lamp")
    with zipfile.ZipFile(tmp_path / "lamp-1.0-py3-none-any.whl", "a") as replaced:
        replaced.writestr("lamp.py", "burnt = True")
    publish(tmp_path / "simple", "lamp", [tmp_path / "lamp-1.0-py3-none-any.whl"])
    failed = checkout.install("run")
    [line] = failed.errors
    assert failed.status == 1
    assert "DO NOT MATCH THE HASHES" in line
    assert not checkout.has("lamp")
