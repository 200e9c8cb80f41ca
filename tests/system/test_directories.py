"""A person's own directory, by the command and both services: out, changed there, looked at, and in."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from functools import partial

import pytest

from tests.system.services import wait_until

AGENTIC = [sys.executable, "-c", "from agentic.cli import main; main()"]
GOAL = "replace 'FastAPI' with 'Starlette' in *.md"
QUESTION = b"[l]ater: "


class Person:
    """Somebody at a directory, whose `agentic` remembers what it has seen of it."""

    def __init__(self, directory, url, state):
        self.directory = directory
        self.env = {**os.environ, "AGENTIC_URL": url, "AGENTIC_STATE_DIR": str(state)}

    def write(self, path, content):
        place = self.directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def read(self, path):
        return (self.directory / path).read_text()

    def files(self):
        """Return what is here by path, but for the repository's own."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        by_path = {str(path.relative_to(self.directory)): path for path in found}
        return {
            path: place.read_text()
            for path, place in by_path.items()
            if not path.startswith(".git/")
        }

    def agentic(self, *arguments, code=0):
        """Run a command to its end, away from a terminal; return what it printed."""
        ended = subprocess.run(
            [*AGENTIC, *arguments],
            cwd=self.directory,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def json(self, *arguments):
        return json.loads(self.agentic(*arguments, "--json"))

    def at_terminal(self, answer, *arguments):
        """Run a command at a terminal, and answer its question; return what it printed."""
        parent, child = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), child)
        with subprocess.Popen(
            [*AGENTIC, *arguments], cwd=self.directory, env=self.env, **streams
        ) as command:
            os.close(child)
            shown = _until_its_end(parent, answer)
        os.close(parent)
        assert command.returncode == 0, shown
        return shown

    def git(self, *arguments):
        return subprocess.run(
            ["git", *arguments], cwd=self.directory, capture_output=True, text=True, check=True
        ).stdout


def _until_its_end(terminal, answer):
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return shown.decode()
        if answer and shown.endswith(QUESTION):
            os.write(terminal, f"{answer}\n".encode())
            answer = None


@pytest.fixture
def person(shared, tmp_path):
    """Somebody with a small repository."""
    here = tmp_path / "My Project"
    here.mkdir()
    person = Person(here, shared.main.url, tmp_path / "state")
    person.write("README.md", "# It\nMade with FastAPI.\n")
    person.write("docs/why.md", "FastAPI is a framework.\n")
    person.write("src/app.py", "import FastAPI\n")
    person.write(".gitignore", "*.log\n")
    person.git("init", "-q")
    person.git("add", ".")
    person.git("-c", "user.name=p", "-c", "user.email=p@localhost", "commit", "-qm", "first")
    person.write("noise.log", "FastAPI\n")
    return person


def test_a_run_in_a_directory_is_refused_then_taken(person):
    """The first try of a new user: nothing comes in unseen, and what comes in is what was shown."""
    before = person.files()
    shown = person.at_terminal("n", "run", GOAL, "--dir", ".")
    assert "-Made with FastAPI." in shown
    assert "undone: workspace my-project-" in shown
    assert (person.files(), person.git("diff")) == (before, "")
    shown = person.at_terminal("y", "run", GOAL, "--dir", ".")
    assert "changed  docs/why.md" in shown
    changed = person.git("diff", "--stat")
    assert re.findall(r"^ (\S+)", changed, re.MULTILINE)[:2] == ["README.md", "docs/why.md"]
    assert person.read("src/app.py") == before["src/app.py"]
    assert person.read("noise.log") == "FastAPI\n"


def test_what_a_run_changed_waits_for_a_person_who_is_not_there(person):
    """Off a terminal nobody can say yes: exit code 4, and a later pull takes it."""
    shown = person.agentic("run", GOAL, "--dir", ".", code=4)
    assert "agentic pull takes it" in shown
    assert person.git("diff") == ""
    assert "-FastAPI is a framework." in person.agentic("diff")
    assert len(person.json("status")["to_pull"]) == 2
    assert len(person.json("pull")["steps"]) == 2
    assert person.read("docs/why.md") == "Starlette is a framework.\n"


@pytest.mark.parametrize(("option", "is_taken"), [("--yes", True), ("--no-pull", False)])
def test_a_run_takes_its_changes_unasked_or_leaves_them(person, option, is_taken):
    """For scripts: either is a success."""
    person.agentic("run", GOAL, "--dir", ".", option)
    assert ("Starlette" in person.read("README.md")) is is_taken


def test_each_line_of_a_chat_works_on_the_directory_as_it_is(person):
    """It is pushed before each, and what that changed is taken after it."""
    ended = subprocess.run(
        [*AGENTIC, "chat", "--dir", ".", "--yes"],
        cwd=person.directory,
        env=person.env,
        input=f"{GOAL}\nreplace 'Starlette' with 'Flask' in README.md\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "changed  README.md" in ended.stdout
    assert person.read("README.md") == "# It\nMade with Flask.\n"
    assert person.read("docs/why.md") == "Starlette is a framework.\n"


def test_a_directory_and_its_workspace_keep_in_step(person):
    """Edits, new files, deletions and modes go and come; a second push has nothing to send."""
    assert len(person.json("push")["sent"]) == 4  # noise.log is ignored
    assert person.json("push")["sent"] == []
    (person.directory / "src/app.py").unlink()
    person.write("tool.sh", "true\n")
    (person.directory / "tool.sh").chmod(0o755)
    status = person.json("status")
    assert [(one["kind"], one["path"]) for one in status["to_push"]] == [
        ("deleted", "src/app.py"), ("new", "tool.sh"),
    ]  # fmt: skip
    assert person.json("push")["deleted"] == ["src/app.py"]
    workspace = ["--workspace", status["workspace"]]
    person.agentic("run", "delete docs/why.md, then write 'new\\n' to a/b.txt", *workspace)
    assert {one["path"] for one in person.json("pull")["steps"]} == {"docs/why.md", "a/b.txt"}
    assert person.read("a/b.txt") == "new\n"
    assert not (person.directory / "docs").exists()
    assert "nothing to take" in person.agentic("pull")
    assert os.access(person.directory / "tool.sh", os.X_OK)


@pytest.mark.parametrize(
    ("choice", "content"),
    [("--theirs", "one\ntheirs\n"), ("--ours", "one\nmine\n"), ("--merge", "<<<<<<<")],
)
def test_a_file_that_both_changed_is_decided_on_by_a_person(person, choice, content):
    """Neither push nor pull chooses; then the choice holds."""
    person.write("both.txt", "one\ntwo\n")
    workspace = person.json("push")["workspace"]
    person.agentic("run", "replace 'two' with 'theirs' in both.txt", "--workspace", workspace)
    person.write("both.txt", "one\nmine\n")
    assert "[changed_elsewhere]" in person.agentic("push", code=1)
    assert "--merge" in person.agentic("pull", code=1)
    assert person.read("both.txt") == "one\nmine\n"
    assert person.json("status")["conflicts"][0]["path"] == "both.txt"
    person.agentic("pull", choice)
    assert content in person.read("both.txt")
    person.agentic("push")
    assert person.json("status")["conflicts"] == []


def test_a_push_resets_a_workspace_to_what_is_here(person):
    """What was refused is gone there: changed, deleted and new files."""
    workspace = person.json("push")["workspace"]
    goal = f"{GOAL}, then delete src/app.py, then write 'x' to new.txt"
    person.agentic("run", goal, "--workspace", workspace)
    assert len(person.json("status")["to_pull"]) == 4
    person.agentic("push", "--reset")
    status = person.json("status")
    assert (status["to_pull"], status["to_push"], status["conflicts"]) == ([], [], [])
    assert "Made with FastAPI." in person.agentic("cat", "README.md", "--workspace", workspace)


async def test_a_workspace_that_was_deleted_takes_nothing_with_it(person, client):
    """What was last seen of it says nothing: nothing here is deleted, and a push makes it anew."""
    workspace = person.json("push")["workspace"]
    before = person.files()
    [session] = person.json("workspaces", workspace)["sessions"]
    await client.delete_session(session, with_workspace=True)
    person.agentic("pull", code=1)
    assert person.files() == before
    assert len(person.json("push")["sent"]) == 4
    assert person.json("status")["same"] == 4


@pytest.mark.parametrize("moment", range(4))
def test_a_pull_that_is_killed_is_finished_by_the_next(person, moment):
    """Wherever it dies: each file is old or new, and the next pull makes all of them new."""
    names = [f"many/{n:03}.md" for n in range(200)]
    for name in names:
        person.write(name, "FastAPI\n")
    workspace = person.json("push")["workspace"]
    goal = "replace 'FastAPI' with 'Starlette' in many/*.md"
    person.agentic("run", goal, "--workspace", workspace, "--budget-steps", "300")
    command = subprocess.Popen(
        [*AGENTIC, "pull"], cwd=person.directory, env=person.env, stdout=subprocess.DEVNULL
    )
    changed = partial(_changed, person, names)
    wait_until(lambda: command.poll() is not None or len(changed()) > moment * 50)
    command.send_signal(signal.SIGKILL)
    command.wait()
    assert {person.read(name) for name in names} <= {"FastAPI\n", "Starlette\n"}
    person.agentic("pull")
    assert {person.read(name) for name in names} == {"Starlette\n"}
    assert not list(person.directory.rglob(".agentic-*"))


def _changed(person, names):
    return [name for name in names if person.read(name) != "FastAPI\n"]


def test_a_whole_file_system_or_home_is_no_directory_to_push(person):
    """Nobody means that; nor a file, nor what is not there."""
    for place in ("/", os.path.expanduser("~"), "README.md", "nowhere"):
        assert "Error" in person.agentic("push", place, code=2)
    assert "agentic push makes one" in person.agentic("pull", code=2)
