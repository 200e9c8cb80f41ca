"""Files come whole into a directory, and into no other."""

import os
import stat

import pytest

from agentic.directory.names import staged_name
from agentic.directory.root import Root
from agentic.directory.writing import Writer
from common.errors import AgenticError


@pytest.fixture
def writer(directory):
    """A writer of the directory."""
    with Root(directory) as root:
        yield Writer(root)


def put(writer, *parts, content=b"content", is_executable=False):
    with writer.staging(parts, is_executable=is_executable) as staged:
        staged.write(content)
    writer.replace(parts, staged.parts)


def modes(directory):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}


def test_a_file_is_written_with_the_directories_above_it(writer, directory):
    """And nothing else remains."""
    put(writer, b"a", b"b", b"c")
    assert (directory / "a/b/c").read_bytes() == b"content"
    assert os.listdir(directory / "a/b") == ["c"]


def test_nothing_incomplete_is_seen_under_a_real_name(writer, directory):
    """Whoever looks meanwhile sees the old content, and a name that says what it is."""
    (directory / "a").write_text("old")
    with writer.staging((b"a",), is_executable=False) as staged:
        staged.write(b"half")
        assert (directory / "a").read_text() == "old"
        [other] = set(os.listdir(directory)) - {"a"}
        assert (other[:9], other[-4:]) == (".agentic-", ".tmp")
    assert (directory / "a").read_text() == "old"


def test_what_fails_while_it_is_written_leaves_nothing(writer, directory):
    """The disk may be full."""
    with pytest.raises(ZeroDivisionError), writer.staging((b"a",), is_executable=False):
        raise ZeroDivisionError
    assert os.listdir(directory) == []


def test_a_mode_stays_but_for_the_right_to_execute(writer, directory):
    """What only its owner may read is not shown to others for a moment."""
    for name, mode in (("private", 0o600), ("script", 0o750), ("plain", 0o644)):
        (directory / name).write_text("")
        (directory / name).chmod(mode)
    put(writer, b"private")
    put(writer, b"script")
    put(writer, b"plain", is_executable=True)
    assert modes(directory) == {"private": 0o600, "script": 0o640, "plain": 0o755}
    writer.set_executable((b"private",), True)
    writer.set_executable((b"plain",), False)
    assert modes(directory) == {"private": 0o700, "script": 0o640, "plain": 0o644}


def test_a_mode_is_given_to_no_other_name_of_a_file(writer, directory, tmp_path):
    """It may lie outside: a hard link is one file in two places."""
    put(writer, b"script")
    (tmp_path / "outside").hardlink_to(directory / "script")
    before = (tmp_path / "outside").stat().st_mode
    writer.set_executable((b"script",), True)
    assert modes(directory) == {"script": 0o755}
    assert (directory / "script").read_bytes() == (tmp_path / "outside").read_bytes()
    assert (tmp_path / "outside").stat().st_mode == before


def test_files_and_the_directories_that_they_leave_empty_are_removed(writer, directory):
    """As git does; what has something in it stays, and the directory itself always."""
    put(writer, b"a", b"b", b"c")
    put(writer, b"a", b"left")
    writer.remove((b"a", b"b", b"c"))
    writer.remove_empty_parents((b"a", b"b", b"c"))
    writer.remove((b"a", b"b", b"c"))
    assert os.listdir(directory / "a") == ["left"]
    writer.remove((b"a", b"left"))
    writer.remove_empty_parents((b"a", b"left"))
    assert os.listdir(directory) == []


@pytest.mark.parametrize(
    "do",
    [
        lambda writer, parts: put(writer, *parts),
        lambda writer, parts: writer.remove(parts),
        lambda writer, parts: writer.set_executable(parts, True),
        lambda writer, parts: writer.make_directories(parts),
    ],
    ids=["put", "remove", "mode", "directories"],
)
def test_nothing_is_changed_behind_a_link(writer, directory, tmp_path, do):
    """The agent, or who follows it, may have made one."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("as it was")
    before = (outside / "f").stat()
    (directory / "link").symlink_to(outside)
    with pytest.raises(AgenticError) as caught:
        do(writer, (b"link", b"f"))
    assert caught.value.code == "path_not_allowed"
    assert (outside / "f").stat() == before
    assert os.listdir(outside) == ["f"]


def test_a_link_in_the_place_is_replaced_itself(writer, directory, tmp_path):
    """Never what it points at."""
    (tmp_path / "target").write_text("as it was")
    (directory / "a").symlink_to(tmp_path / "target")
    put(writer, b"a")
    assert not (directory / "a").is_symlink()
    assert (tmp_path / "target").read_text() == "as it was"


@pytest.mark.parametrize("parts", [(b".git", b"hooks", b"x"), (b"a", b".GIT", b"config")])
def test_no_git_directory_is_ever_written(writer, directory, parts):
    """The last gate: whoever asked for it."""
    for do in (lambda: put(writer, *parts), lambda: writer.remove(parts)):
        with pytest.raises(AgenticError) as caught:
            do()
        assert caught.value.code == "path_not_allowed"
    assert os.listdir(directory) == []


def test_a_directory_in_the_place_is_not_replaced(writer, directory):
    """The person may have made it meanwhile."""
    (directory / "a").mkdir()
    with pytest.raises(AgenticError) as caught:
        put(writer, b"a")
    assert caught.value.code == "not_a_file"


def test_what_was_left_incomplete_is_swept_away(writer, directory):
    """After a crash; other hidden files are the person's."""
    (directory / staged_name().decode()).write_text("half")
    (directory / ".agenticignore").write_text("")
    writer.sweep(())
    assert os.listdir(directory) == [".agenticignore"]


def test_the_file_system_itself_is_asked_whether_it_folds_names(writer, directory):
    """This one does not; and the question leaves nothing."""
    assert not writer.is_case_blind()
    assert os.listdir(directory) == []


def test_without_descriptors_nothing_is_written(directory):
    """A walk by path could be led out of the directory: pull is refused, in a sentence."""
    with Root(directory, by_descriptor=False) as root, pytest.raises(AgenticError) as caught:
        Writer(root)
    assert (caught.value.code, caught.value.source) == ("forbidden", "client")
    assert "pull on Linux or macOS" in caught.value.hint
