"""What belongs to a directory: git's own word where there is one, else its ignore files."""

import hashlib
import os
import shutil
import struct
import subprocess
import time

import pytest
from hypothesis import assume, given, strategies as st
from pathspec import GitIgnoreSpec

from agentic.directory.ignoring import rules
from agentic.directory.ignoring.listing import list_files
from agentic.directory.ignoring.rules import MAX_RULES, MAX_SIZE
from agentic.directory.names import shown, staged_name
from agentic.directory.root import Root
from common.errors import AgenticError

GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "protocol.file.allow=always")


def git(place, *command):
    subprocess.run((*GIT, *command), cwd=place, check=True, capture_output=True)


def write(directory, **files):
    for path, content in files.items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def listed(directory):
    with Root(directory) as root:
        return sorted(shown(parts) for parts in list_files(root).files)


def notes(directory):
    with Root(directory) as root:
        return list_files(root).notes


@pytest.fixture(params=[True, False], ids=["git", "no-git"])
def place(request, directory, monkeypatch, tmp_path):
    """A directory, a repository or not; nobody's own configuration says what is ignored."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    if request.param:
        git(directory, "init", "-q")
    return directory


@pytest.fixture
def repository(directory, monkeypatch, tmp_path):
    """A repository."""
    monkeypatch.setenv("HOME", str(tmp_path))
    git(directory, "init", "-q")
    return directory


@pytest.mark.parametrize("end", ["\f", "\v", "\x1c", "\x85", "\u2028", "\r"])
def test_a_comment_hides_no_rule(place, end):
    """Only a line feed ends a line: else a secret is sent that no reviewer sees taken back."""
    write(place, **{".gitignore": f"secret\r\n# all well{end}!secret\n", "secret": ""})
    assert listed(place) == [".gitignore"]


def test_ignore_files_are_followed_as_git_does(place):
    """Nested, anchored, taken back; a directory that is ignored hides what is in it."""
    write(
        place,
        **{
            ".gitignore": "*.log\n/build/\n!keep.log\nnode_modules\n# a comment\n\n",
            "a.py": "", "a.log": "", "keep.log": "", "build/out": "", "src/build/in": "",
            "src/.gitignore": "!b.log\n/only-here\n", "src/b.log": "", "src/c.log": "",
            "src/only-here": "", "only-here": "", "node_modules/x/keep.log": "",
        },
    )  # fmt: skip
    assert listed(place) == [
        ".gitignore", "a.py", "keep.log", "only-here", "src/.gitignore", "src/b.log",
        "src/build/in",
    ]  # fmt: skip


def test_agenticignore_takes_away_from_both(place):
    """What git may have need not go to an agent, and nested as well."""
    write(
        place,
        **{
            ".agenticignore": "secrets/\n*.pem\n", "a": "", "secrets/key": "", "x.pem": "",
            "sub/.agenticignore": "local\n!ok.pem\n", "sub/local": "", "sub/ok.pem": "", "local": "",
        },
    )  # fmt: skip
    assert listed(place) == [".agenticignore", "a", "local", "sub/.agenticignore", "sub/ok.pem"]


def test_no_git_directory_belongs_whoever_made_it(place):
    """Not under another spelling either; and nothing of ours that is incomplete."""
    write(place, **{"a": "", "sub/.GIT/config": "", ".git./x": "", "GIT~1": "",
                    staged_name().decode(): "", "sub/.gitmodules": ""})  # fmt: skip
    assert listed(place) == ["a", "sub/.gitmodules"]


def test_names_of_any_bytes_are_listed(place):
    """A name need be neither text nor printable."""
    for name in (b"caf\xe9", b"a\nb", b"back\\slash", "é".encode()):
        (place / os.fsdecode(name)).write_text("")
    assert listed(place) == ["a\\x0ab", "back\\\\slash", "caf\\xe9", "é"]


def test_a_repository_within_is_listed_by_its_own_rules(place):
    """Its files belong; its `.git` never does."""
    write(place, **{"a": "", "nested/.gitignore": "*.o\n", "nested/b": "", "nested/b.o": ""})
    git(place / "nested", "init", "-q")
    assert listed(place) == ["a", "nested/.gitignore", "nested/b"]


def test_a_submodule_is_listed_by_its_own_rules(repository, tmp_path):
    """For git it is one entry; for an agent it is its files."""
    other = tmp_path / "other"
    write(other, **{"b": "", ".gitignore": "*.o\n"})
    git(other, "init", "-q")
    git(other, "add", ".")
    git(other, "commit", "-qm", "x")
    git(repository, "submodule", "add", "-q", str(other), "module")
    write(repository, **{"module/new": "", "module/x.o": ""})
    assert listed(repository) == [".gitmodules", "module/.gitignore", "module/b", "module/new"]


def test_what_git_knows_and_is_gone_is_not_there(repository):
    """It was deleted and not committed: that is a deletion."""
    write(repository, **{"a": "", "gone": "", "dir/gone": ""})
    git(repository, "add", ".")
    (repository / "gone").unlink()
    (repository / "dir/gone").unlink()
    (repository / "dir").rmdir()
    assert listed(repository) == ["a"]


def test_a_part_of_a_repository_is_listed_by_it(repository):
    """DIR need not be the whole."""
    write(repository, **{".gitignore": "*.log\n", "sub/a": "", "sub/a.log": "", "b": ""})
    assert listed(repository / "sub") == ["a"]


def test_a_directory_that_its_repository_ignores_is_listed_by_itself(repository):
    """Who pushes `build/` means what is in it."""
    write(repository, **{".gitignore": "/build/\n", "build/a": "", "build/b.o": ""})
    write(repository, **{"build/.gitignore": "*.o\n"})
    assert listed(repository / "build") == [".gitignore", "a"]


def test_the_environment_leads_git_to_no_other_repository(repository, monkeypatch, tmp_path):
    """A hook of git runs commands with GIT_DIR set, for one."""
    other = tmp_path / "other"
    write(other, **{"not mine": ""})
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    write(repository, mine="")
    assert listed(repository) == ["mine"]


def test_a_repository_runs_no_program_of_its_own(repository, tmp_path):
    """Its configuration may have come with it, from anybody."""
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    script.chmod(0o755)
    for name in ("post-index-change", "fsmonitor-watchman"):
        hook = repository / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_bytes(script.read_bytes())
        hook.chmod(0o755)
    git(repository, "config", "core.fsmonitor", str(script))
    git(repository, "config", "core.untrackedCache", "true")
    write(repository, a="")
    assert listed(repository) == ["a"]
    assert not (tmp_path / "ran").exists()


def test_a_repository_that_git_refuses_is_listed_without_it(repository):
    """It is damaged, or somebody else's: the person is told, and the ignore files hold."""
    write(repository, **{".gitignore": "*.o\n", "a": "", "a.o": ""})
    (repository / ".git/HEAD").write_text("damaged")
    (repository / ".git/config").write_text("[damaged")
    assert listed(repository) == [".gitignore", "a"]
    [note] = notes(repository)
    assert "git could not list" in note


def test_another_users_repository_is_listed_without_git(repository, monkeypatch, tmp_path):
    """git calls it of dubious ownership and refuses; the note says what it says."""
    write(
        tmp_path, **{"bin/git": "#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\nexit 128"}
    )
    (tmp_path / "bin/git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    write(repository, **{".gitignore": "*.o\n", "a": "", "a.o": ""})
    assert listed(repository) == [".gitignore", "a"]
    [note] = notes(repository)
    assert "dubious ownership" in note


def test_without_git_a_directory_is_listed_by_its_ignore_files(repository, monkeypatch):
    """The person may not have it at all."""
    write(repository, **{".gitignore": "*.o\n", "a": "", "a.o": ""})
    monkeypatch.setenv("PATH", "/nowhere")
    assert listed(repository) == [".gitignore", "a"]
    [note] = notes(repository)
    assert "git" in note


def test_a_directory_without_a_repository_needs_no_note(directory, monkeypatch):
    """Nothing is wrong there."""
    write(directory, a="")
    assert notes(directory) == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert notes(directory) == []


def test_an_ignore_file_that_is_odd_is_passed_over(directory, tmp_path):
    """A link is not followed, a wrong line is none, a directory of that name neither."""
    write(tmp_path, rules="a\n")
    (directory / ".gitignore").symlink_to(tmp_path / "rules")
    write(directory, **{"a": "", "b": "", ".agenticignore": "!\n/\n\\\nb\n", "sub/a": ""})
    (directory / "sub/.gitignore").mkdir()
    assert listed(directory) == [".agenticignore", ".gitignore", "a", "sub/a"]


@pytest.mark.parametrize("name", [".gitignore", ".agenticignore"])
def test_a_line_that_is_no_rule_is_passed_over_and_told(directory, name):
    """A range from z to a is none; what else the file says holds."""
    write(
        directory, **{name: "[z-a]\nb\n!\n[[c]\n", "a": "", "b": "", "c": "", "sub/b": "", "z": ""}
    )
    (directory / "sub/.git").mkdir()
    assert listed(directory) == [name, "a", "z"]
    assert f"Line 1 of '{name}' is no rule and is passed over, like 1 more." in notes(directory)
    assert len([note for note in notes(directory) if name in note and "no rule" in note]) == 1


def refused(directory):
    with pytest.raises(AgenticError) as caught:
        listed(directory)
    assert (caught.value.code, caught.value.source) == ("invalid_request", "client")
    return caught.value.detail


def test_an_ignore_file_of_too_many_rules_is_refused_by_its_name(directory):
    """150,000 of them took a minute for 100 files; whoever wrote it may be anybody."""
    write(directory, **{"sub/.agenticignore": "*%x\n" * (MAX_RULES + 1)})
    assert refused(directory).startswith("'sub/.agenticignore' has more than 10000 rules")
    write(directory, **{"sub/.agenticignore": "# why\n\n" * MAX_RULES + "a\n", "sub/a": ""})
    assert listed(directory) == ["sub/.agenticignore"]


def test_ignore_files_of_too_many_rules_together_are_refused(directory, monkeypatch):
    """One in each directory would be as much."""
    monkeypatch.setattr(rules, "MAX_ALL_RULES", 3)
    write(directory, **{".agenticignore": "a\nb\n", "c/.agenticignore": "a\nb\n"})
    assert refused(directory).startswith("'c/.agenticignore' has more than")


def test_an_ignore_file_that_is_too_long_is_refused(directory):
    """Its end was not read: what that names would have been sent."""
    write(directory, **{".agenticignore": "#" * MAX_SIZE + "\nsecret\n", "secret": ""})
    assert refused(directory).startswith("'.agenticignore' has more than 1048576 bytes")


@pytest.mark.parametrize("rule", ["*a" * 40 + "*b", "*" * 200 + "b", "x/" + "*a*?" * 20 + "b"])
def test_a_rule_of_many_stars_is_compared_at_once(directory, rule):
    """Each star was tried at every place: five of them took 8 s for one name."""
    write(directory, **{".agenticignore": rule, "a" * 200: "", "x/" + "a" * 200: ""})
    before = time.process_time()
    assert listed(directory) == [".agenticignore", "a" * 200, "x/" + "a" * 200]
    assert time.process_time() - before < 5


@given(
    st.lists(st.sampled_from(["*", "**", "?", "a", "b", "/", "[ab]", "\\a"]), min_size=1),
    st.lists(st.sampled_from("ab/"), min_size=1, max_size=12),
)
def test_rules_match_what_pathspec_says(pattern, name):
    """They are only quicker. `[!a]` matches a `/` there, and not in git: it is left out."""
    line, path = "".join(pattern), "/".join(filter(None, "".join(name).split("/"))) or "a"
    rule = rules._rule(line)
    assume(rule is not None)
    theirs = GitIgnoreSpec.from_lines([line], backend="simple").check_file(path).include
    assert GitIgnoreSpec([rule], backend="simple").check_file(path).include == theirs


def test_a_name_that_is_not_utf8_is_compared_with_rules(directory):
    """Where re2 is installed it was asked, and takes only text."""
    (directory / "caf\udce9.log").write_text("")
    write(directory, **{".agenticignore": "*.log\n"})
    assert listed(directory) == [".agenticignore"]


@pytest.mark.parametrize("relative", [".", ""], ids=["dot", "empty"])
def test_no_git_of_the_directorys_own_is_run(directory, monkeypatch, relative):
    """A relative directory on the PATH means the one that is listed: a program in it may be anybody's."""
    program = directory / "git"
    write(directory, git="#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{relative}:{os.environ['PATH']}")
    monkeypatch.chdir(directory)
    assert listed(directory) == ["git"]
    assert not (directory / "ran").exists()


def test_an_older_git_runs_no_remote_of_a_partial_clone(repository, monkeypatch, tmp_path):
    """An ignore file that is only in the index is looked up, and fetched by a program if it is missing."""
    write(repository, **{".gitignore": "x\n", "file": ""})
    git(repository, "add", ".")
    git(repository, "update-index", "--skip-worktree", ".gitignore")
    (repository / ".gitignore").unlink()
    shutil.rmtree(repository / ".git/objects")
    (repository / ".git/objects").mkdir()
    write(repository, other="")
    remote = tmp_path / "remote"
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{remote}",
        "remote.origin.promisor": "true",
        "core.sparseCheckout": "true",
        "protocol.ext.allow": "always",
    }.items():
        git(repository, "config", name, value)
    older = tmp_path / "bin" / "git"
    write(tmp_path, **{
        "remote": f"#!/bin/sh\ntouch {tmp_path}/ran\n",
        "bin/git": f'#!/bin/sh\nunset GIT_NO_LAZY_FETCH\nexec {shutil.which("git")} "$@"\n',
    })  # fmt: skip
    remote.chmod(0o755)
    older.chmod(0o755)
    monkeypatch.setenv("PATH", f"{older.parent}:{os.environ['PATH']}")
    assert "file" in listed(repository)
    assert not (tmp_path / "ran").exists()


def test_what_is_a_repository_without_being_called_so_has_no_say(directory, tmp_path):
    """Its configuration would hide what is here, and could run programs."""
    script = tmp_path / "script"
    write(tmp_path, **{"script": f"#!/bin/sh\ntouch {tmp_path}/ran\n", "elsewhere/a": ""})
    script.chmod(0o755)
    git(directory, "init", "-q", "--bare", ".")
    for name, value in {
        "core.bare": "false",
        "core.worktree": str(tmp_path / "elsewhere"),
        "core.fsmonitor": str(script),
    }.items():
        git(directory, "config", "-f", "config", name, value)
    git(directory, "status")
    assert (tmp_path / "ran").exists()  # so it would be
    (tmp_path / "ran").unlink()
    write(directory, a="", b="")
    assert {"a", "b", "config"} <= set(listed(directory))
    assert notes(directory) == []
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../secret", "x/../../secret", "./x"])
def test_an_index_that_names_what_lies_elsewhere_has_no_say_there(repository, tmp_path, name):
    """It may have come with the repository, from anybody; the rest is listed all the same."""
    write(tmp_path, secret="")
    write(repository, a="")
    (repository / "x").mkdir()
    (repository / ".git/index").write_bytes(index_of(name))
    assert name.encode() in git_output(repository, "ls-files", "-z")
    assert listed(repository) == ["a"]


def git_output(place, *command):
    return subprocess.run((*GIT, *command), cwd=place, check=True, capture_output=True).stdout


def index_of(name):
    """An index of one empty file, as gitformat-index(5) has it, whatever its name."""
    facts = struct.pack(">10I", *[0] * 6, 0o100644, 0, 0, 0) + sha1(b"blob 0\0")
    entry = facts + struct.pack(">H", len(name)) + name.encode()
    content = b"DIRC" + struct.pack(">2I", 2, 1) + entry + bytes(8 - len(entry) % 8)
    return content + sha1(content)


def sha1(content):
    return hashlib.sha1(content, usedforsecurity=False).digest()
