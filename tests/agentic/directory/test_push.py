"""A push makes the workspace have what was changed here, and nothing else."""

import itertools
import os
import subprocess
import sys

import pytest

from common.errors import AgenticError, SystemFault, ToolError
from tests.agentic.directory.fakes import sha256


async def test_a_first_push_sends_all_and_a_second_nothing(person):
    """The person's directory is the workspace from then on."""
    person.write("a.txt", b"a")
    person.write("src/b.py", b"b", mode=0o755)
    person.write("src/same.py", b"b")
    pushed = await person.push()
    assert person.files() == {"a.txt": b"a", "src/b.py": b"b", "src/same.py": b"b"}
    assert person.remote.files["src/b.py"] == (b"b", True)
    assert person.remote.files["a.txt"] == (b"a", False)
    assert (pushed.sent_size, person.remote.sent) == (2, sorted([sha256(b"a"), sha256(b"b")]))
    assert (await person.push()).result is None
    assert len(person.remote.puts) == 1


async def test_a_push_sends_only_what_was_changed_here(person):
    """An edit, a new file, a deletion, a mode: each once, and contents held there are not sent."""
    for name in ("edited", "deleted", "mode", "left"):
        person.write(name, name.encode())
    await person.push()
    person.write("edited", b"edited anew")
    person.write("copy", b"left")
    (person.directory / "deleted").unlink()
    (person.directory / "mode").chmod(0o755)
    pushed = await person.push()
    assert (pushed.sent, pushed.deleted) == (["copy", "edited", "mode"], ["deleted"])
    assert person.remote.sent == [sha256(b"edited anew")]
    assert person.remote.files["mode"] == (b"mode", True)
    assert person.files() == {
        "edited": b"edited anew", "copy": b"left", "mode": b"mode", "left": b"left"
    }  # fmt: skip


async def test_what_the_workspace_changed_is_left_alone_by_a_push(person):
    """What an agent did is for a pull: a push neither undoes nor forgets it."""
    person.write("mine")
    person.write("theirs")
    person.write("gone there")
    await person.push()
    person.remote.write("theirs", b"by the agent")
    person.remote.write("new there", b"new")
    del person.remote.files["gone there"]
    person.write("mine", b"mine anew")
    await person.push()
    assert person.files() == {
        "mine": b"mine anew", "theirs": b"by the agent", "new there": b"new"
    }  # fmt: skip
    status = await person.status()
    told = [(change.path, change.kind) for change in status.to_pull]
    assert told == [("gone there", "deleted"), ("new there", "new"), ("theirs", "changed")]
    assert status.to_push == []


async def test_a_push_over_what_changed_on_both_sides_is_refused_unless_forced(person):
    """Neither side's work is lost unseen."""
    person.write("both", b"before")
    person.write("other", b"before")
    await person.push()
    person.write("both", b"here")
    person.write("other", b"here")
    person.remote.write("both", b"there")
    with pytest.raises(AgenticError) as caught:
        await person.push()
    error = caught.value
    assert (error.code, error.source, error.context.actual) == ("changed_elsewhere", "client", 1)
    assert "'both'" in error.detail
    assert "agentic pull" in error.hint
    assert "--force" in error.hint
    [conflict] = error.context.conflicts
    assert conflict["expected_sha256"] == sha256(b"before")
    assert conflict["current_sha256"] == sha256(b"there")
    assert person.files() == {"both": b"there", "other": b"before"}
    await person.push(force=True)
    assert person.files() == {"both": b"here", "other": b"here"}
    assert (await person.status()).is_clean


async def test_a_change_there_while_a_push_is_sent_is_a_conflict(person):
    """Between the comparison and the archive an agent may have written."""
    person.write("a", b"1")
    await person.push()
    person.write("a", b"2")
    person.remote.before_put = lambda: person.remote.write("a", b"by the agent")
    with pytest.raises(AgenticError) as caught:
        await person.push()
    assert caught.value.code == "changed_elsewhere"
    assert "--force" in caught.value.hint
    assert person.files() == {"a": b"by the agent"}


async def test_what_both_sides_have_alike_is_no_conflict_without_a_base(person):
    """Who lost the state, or copied the files there otherwise, can go on."""
    person.write("same", b"same")
    person.write("mine", b"mine")
    person.remote.exists = True
    person.remote.write("same", b"same")
    pushed = await person.push()
    assert pushed.sent == ["mine"]
    person.write("same", b"edited")
    assert (await person.push()).sent == ["same"]


async def test_a_workspace_that_was_made_again_has_no_base(person):
    """What was last seen of the old one says nothing: no file here counts as deleted there."""
    person.write("a", b"1")
    person.write("b", b"2")
    await person.push()
    person.remote.remake()
    pushed = await person.push()
    assert pushed.sent == ["a", "b"]
    assert person.files() == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_push_whose_answer_was_lost_is_no_conflict_after_another_edit(person, is_first):
    """The client was killed before it knew; what it had sent is what both had."""
    if not is_first:
        person.write("a", b"0")
        person.write("gone", b"0")
        await person.push()
        (person.directory / "gone").unlink()
    person.write("a", b"1")

    def lose():
        raise SystemFault("upstream_failed", "killed")

    person.remote.after_put = lose
    with pytest.raises(SystemFault):
        await person.push()
    person.remote.after_put = lambda: None
    person.write("a", b"2")
    person.write("gone", b"again") if not is_first else None
    pushed = await person.push()
    assert pushed.sent == (["a"] if is_first else ["a", "gone"])
    assert person.files()["a"] == b"2"


async def test_contents_that_turn_out_to_be_missing_are_sent_along(person):
    """The workspace held a content when it was compared, and not when it was copied."""
    person.write("a", b"held")
    await person.push()
    (person.directory / "a").rename(person.directory / "b")
    del person.remote.files["a"]
    person.remote.write("other", b"held")
    person.remote.before_put = lambda: person.remote.files.pop("other", None)
    await person.push()
    assert person.files() == {"b": b"held"}
    assert person.remote.sent == [sha256(b"held")]


async def test_a_file_that_changes_while_it_is_sent_is_looked_at_again(person):
    """What arrives is a content that the file had, whole, and the base says which."""
    person.write("a", b"1")
    times = iter([b"22", b"333"])

    def edit(_):
        for content in times:
            person.write("b", content)
            return

    person.write("b", b"x")
    (person.directory / "a").write_bytes(b"1" * 3_000_000)
    await person.push(report=edit)
    assert person.files()["b"] == (person.directory / "b").read_bytes()
    assert (await person.status()).is_clean


async def test_a_file_that_changes_all_the_time_ends_the_push_with_its_name(person):
    """Neither for ever nor half. None of its contents begins with the one before."""
    person.write("a", b"1" * 3_000_000)
    person.write("z.log", b"0")
    numbers = itertools.count(1)

    def edit(progress):
        person.write("z.log", b"%d." % next(numbers))

    with pytest.raises(AgenticError) as caught:
        await person.push(report=edit)
    assert caught.value.code == "invalid_state"
    assert "z.log" in caught.value.detail
    assert person.files() == {}


async def test_a_file_that_grows_while_it_is_sent_goes_as_it_was_looked_at(person):
    """A log that is only written on is a content that it had, whole; what came after goes next time."""
    person.write("a", b"1" * 3_000_000)
    person.write("z.log", b"0")
    await person.push(report=lambda _: person.write("z.log", b"01"))
    assert person.files()["z.log"] == b"0"
    assert not (await person.status()).is_clean
    await person.push()
    assert person.files()["z.log"] == b"01"


async def test_a_file_that_is_larger_than_the_server_takes_is_named(person):
    """It knows the content by its hash, which says nothing to a person."""
    for name in ("fits", "large", "copy of large"):
        person.write(name, b"1234" if name == "fits" else b"12345")
    person.write("larger", b"123456")

    def refuse():
        content = f"The content '{sha256(b'12345')}' is larger than 4 bytes"
        raise ToolError("file_too_large", content, limit=4, actual=5)

    person.remote.before_put = refuse
    with pytest.raises(ToolError) as caught:
        await person.push()
    assert caught.value.code == "file_too_large"
    assert caught.value.detail.startswith(
        "'copy of large', 'large', 'larger': more than the 4 bytes"
    )
    assert caught.value.context.path == "copy of large"
    assert ".agenticignore" in caught.value.hint


async def test_progress_ends_with_all_that_had_to_be_sent(person):
    """A bar that never fills would look like a failure."""
    told = []
    person.write("a", b"1" * 2_500_000)
    person.write("b", b"2")
    await person.push(report=told.append)
    assert (told[-1].files, told[-1].size) == (2, 2_500_001)
    assert all(one.total_files == 2 and one.total_size == 2_500_001 for one in told)
    assert [one.size for one in told] == sorted(one.size for one in told)


async def test_links_and_specials_are_skipped_and_named(person):
    """No archive holds them; a FIFO must not keep the command waiting."""
    person.write("a")
    os.mkfifo(person.directory / "pipe")
    (person.directory / "link").symlink_to("a")
    pushed = await person.push()
    assert pushed.skipped == ["link", "pipe"]
    assert person.files() == {"a": b"text"}


async def test_what_became_a_link_is_not_deleted_there(person):
    """Neither the link itself nor what it points at goes, and nothing is lost for it."""
    person.write("data/big", b"big")
    person.write("file", b"file")
    await person.push()
    (person.directory / "data").rename(person.directory.parent / "elsewhere")
    (person.directory / "data").symlink_to(person.directory.parent / "elsewhere")
    (person.directory / "file").unlink()
    (person.directory / "file").symlink_to("/etc/passwd")
    pushed = await person.push()
    assert (pushed.result, pushed.skipped) == (None, ["data", "file"])
    assert person.files() == {"data/big": b"big", "file": b"file"}


async def test_a_file_becomes_a_directory_and_back(person):
    """Both are one push."""
    person.write("a", b"file")
    await person.push()
    (person.directory / "a").unlink()
    person.write("a/b", b"below")
    await person.push()
    assert person.files() == {"a/b": b"below"}
    (person.directory / "a/b").unlink()
    (person.directory / "a").rmdir()
    person.write("a", b"file again")
    await person.push()
    assert person.files() == {"a": b"file again"}


async def test_a_tracked_file_that_git_ignores_now_stays_in_step(person):
    """As in git: what both know is known, and only `.agenticignore` takes it away."""
    person.write("out.txt", b"1")
    person.write("secret.txt", b"1")
    await person.push()
    person.write(".gitignore", b"*.txt\n")
    person.write(".agenticignore", b"secret.txt\n")
    person.write("out.txt", b"2")
    person.write("secret.txt", b"2")
    await person.push()
    assert person.files()["out.txt"] == b"2"
    assert person.files()["secret.txt"] == b"1"
    (person.directory / "secret.txt").unlink()
    (person.directory / "out.txt").unlink()
    assert (await person.push()).deleted == ["out.txt"]
    assert person.files()["secret.txt"] == b"1"


async def test_what_was_changed_there_after_a_push_whose_answer_was_lost_is_the_workspaces(person):
    """The result is looked up by its id: what was sent is what both had, though it is gone now."""
    person.write("a", b"0")
    await person.push()
    person.write("a", b"1")

    def lose():
        person.remote.write("a", b"by the agent")
        raise SystemFault("upstream_failed", "killed")

    person.remote.after_put = lose
    with pytest.raises(SystemFault):
        await person.push()
    status = await person.status()
    assert [one.path for one in status.to_pull] == ["a"]
    assert (status.to_push, status.conflicts) == ([], [])


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_pull_after_a_push_whose_answer_was_lost_ends_it(person, is_first):
    """The next push must not take what the workspace had then for what both have now."""
    if not is_first:
        person.write("a", b"0")
        await person.push()
    person.write("a", b"1")
    person.write("other", b"1")

    def lose():
        if not is_first:
            person.remote.write("a", b"by the agent")
        raise SystemFault("upstream_failed", "killed")

    person.remote.after_put = lose
    with pytest.raises(SystemFault):
        await person.push()
    person.remote.after_put = lambda: None
    person.remote.write("new", b"new")
    await person.pull()
    assert (person.directory / "a").read_bytes() == (b"1" if is_first else b"by the agent")
    assert (await person.state()).known.pending == {}
    person.remote.write("a", b"1")
    person.remote.write("other", b"2")
    status = await person.status()
    assert (status.to_push, status.conflicts) == ([], [])


async def test_only_contents_that_are_missing_are_sent_along(person):
    """What the workspace holds still need not go."""
    person.write("a", b"held")
    person.write("b", b"held too")
    await person.push()
    for name in ("a", "b"):
        (person.directory / name).rename(person.directory / f"new-{name}")
    person.remote.before_put = lambda: person.remote.files.pop("a", None)
    await person.push()
    assert person.files() == {"new-a": b"held", "new-b": b"held too"}
    assert person.remote.sent == [sha256(b"held")]


async def test_a_refused_push_is_not_taken_for_one_that_happened(person):
    """It has no result: what it would have sent was never there."""
    person.write("a", b"0")
    await person.push()
    person.write("a", b"1")
    person.remote.before_put = lambda: person.remote.write("a", b"by the agent")
    with pytest.raises(AgenticError):
        await person.push()
    status = await person.status()
    assert [one.path for one in status.conflicts] == ["a"]


async def test_texts_are_kept_for_merges_as_both_had_them(person):
    """The base of a merge is not what the person has edited since."""
    person.write("a", b"before")
    await person.push()
    person.write("a", b"after")
    state = await person.state()
    assert state.blobs.find(sha256(b"before")) == b"before"
    assert state.blobs.find(sha256(b"after")) is None
    await person.push()
    assert state.blobs.find(sha256(b"after")) == b"after"


_SENDER = """
import asyncio, sys, time
from pathlib import Path
from tests.agentic.directory.conftest import Person
from tests.agentic.directory.fakes import FakeClient

def stop():
    print("sending", flush=True)
    time.sleep(600)

client = FakeClient()
client.archives.before_put = stop
asyncio.run(Person(Path(sys.argv[1]), client).push())
"""


async def test_a_push_that_was_killed_while_it_sent_is_done_by_the_next(person):
    """Nothing is in its way: no lock, no half-written state, no file in the directory."""
    person.write("a", b"a")
    command = [sys.executable, "-c", _SENDER, str(person.directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"sending\n"
        process.kill()
    person.write("b", b"b")
    pushed = await person.push()
    assert (pushed.sent, pushed.notes) == (["a", "b"], [])
    assert person.files() == {"a": b"a", "b": b"b"}
    assert sorted(os.listdir(person.directory)) == ["a", "b"]


async def test_damaged_state_is_told_with_what_was_pushed(person):
    """The person should know why there are conflicts where there were none."""
    person.write("a", b"a")
    await person.push()
    state = await person.state()
    (state.place / "known.json").write_bytes(b"damaged")
    [note] = (await person.push()).notes
    assert "known.json" in note


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a//b", ""], ids=ascii)
async def test_a_server_that_names_what_is_no_path_gets_nothing(person, path):
    """It is hostile or broken; neither side is changed."""
    person.write("a", b"a")
    person.remote.write(path, b"x")
    with pytest.raises(AgenticError) as caught:
        await person.push()
    assert caught.value.code == "upstream_failed"
    assert person.remote.puts == []


async def test_a_push_that_resets_undoes_what_the_workspace_changed(person):
    """What was refused: changed, deleted and new files there are as they are here, also conflicts."""
    for name in ("changed", "deleted", "both", "same"):
        person.write(name, name.encode())
    await person.push()
    person.remote.write("changed", b"otherwise")
    person.remote.write("both", b"otherwise")
    person.remote.write("new", b"new")
    del person.remote.files["deleted"]
    person.write("both", b"mine")
    pushed = await person.push(reset=True)
    assert (pushed.sent, pushed.deleted) == (["both", "changed", "deleted"], ["new"])
    here = {"changed": b"changed", "deleted": b"deleted", "both": b"mine", "same": b"same"}
    assert person.files() == here
    assert (await person.push()).result is None
    assert (await person.status()).is_clean


async def test_a_push_that_resets_leaves_what_no_pull_brings(person):
    """Nobody here has ever had it, nor been told of it; but what was pushed from here is as any other."""
    person.write("ours\n", b"ours")
    await person.push()
    person.remote.write("theirs\\x0a", b"theirs")
    assert (await person.status()).to_pull == []
    assert (await person.push(reset=True)).deleted == []
    del person.remote.files["ours\\x0a"]
    await person.push(reset=True)
    assert person.files() == {"ours\\x0a": b"ours", "theirs\\x0a": b"theirs"}
    (person.directory / "ours\n").unlink()
    await person.push()
    assert person.files() == {"theirs\\x0a": b"theirs"}


async def test_a_push_that_resets_does_not_overwrite_what_it_has_not_seen(person):
    """An agent that is still at work changes more: that is a conflict, and nothing is undone."""
    person.write("a", b"a")
    await person.push()
    person.remote.write("a", b"seen")
    person.remote.before_put = lambda: person.remote.write("a", b"not seen")
    with pytest.raises(AgenticError) as caught:
        await person.push(reset=True)
    assert caught.value.code == "changed_elsewhere"
    assert person.files() == {"a": b"not seen"}
