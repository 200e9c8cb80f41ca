"""Lists beside the ledger: what is written is what is read, or it is said to be lost."""

import hashlib
from datetime import timedelta

import pytest

from common.errors import ClientError
from execution_environment.sandbox.renames import Location, Rename
from execution_environment.transactions.change_lists import ChangeLists, DamagedList
from execution_environment.workspace.receipts import receipt_of_directory, receipt_of_removal

RECEIPTS = [
    receipt_of_directory("a\nb"), receipt_of_removal("ü", "0" * 64), receipt_of_directory("c"),
]  # fmt: skip
RENAMES = [
    Rename(
        source=Location(leaf=b"\xff\n", process="p"),
        target=Location(leaf=b"a", directory=(b"u", b"w", b"\x00\n")),
        replaces=True,
    ),
    Rename(
        source=Location(leaf=b"b", directory=(b"u", b"w")),
        target=Location(leaf=b"x", process="p"),
        mark="1@2",
    ),
]


@pytest.fixture
def lists(tmp_path):
    return ChangeLists(tmp_path / "changes")


@pytest.fixture
def listed(lists):
    return lists.write(RENAMES, RECEIPTS)


def test_a_list_is_named_by_the_hash_of_all_that_it_holds(lists, listed, tmp_path):
    """The hash in the audit trail proves receipts and steps alike."""
    [path] = (tmp_path / "changes").iterdir()
    assert path.name == listed == hashlib.sha256(path.read_bytes()).hexdigest()
    assert lists.renames(listed) == RENAMES
    assert lists.receipts(listed, None, 10) == (RECEIPTS, None)


def test_receipts_of_a_list_come_page_by_page(lists, listed):
    """Each page goes on where the last one ended; the last one says that it is."""
    first, cursor = lists.receipts(listed, None, 2)
    second, end = lists.receipts(listed, cursor, 1)
    assert ([*first, *second], end) == (RECEIPTS, None)


@pytest.mark.parametrize("number", [1, 5, 10**17, "middle of the steps", "end"])
def test_a_cursor_that_no_page_has_given_is_refused(lists, listed, tmp_path, number):
    """It would begin in the middle of a line, or read steps as receipts."""
    content = (tmp_path / "changes" / listed).read_bytes()
    at = {"middle of the steps": content.rindex(b"\n", 0, -1) + 1, "end": len(content)}
    for cursor in (str(at.get(number, number)), "-1", "x", "", "1" * 19, "²"):
        with pytest.raises(ClientError) as caught:
            lists.receipts(listed, cursor, 1)
        assert caught.value.code == "invalid_request"


@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content.replace(b"1@2", b"1@3")],
    ids=["cut off", "changed"],
)  # fmt: skip
def test_a_list_that_holds_something_else_than_its_name_says_is_damaged(
    lists, listed, tmp_path, change
):
    """No step of it is taken: it may be any step."""
    path = tmp_path / "changes" / listed
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(DamagedList, match="something else"):
        lists.renames(listed)


def test_a_list_that_is_not_there_is_lost(lists):
    """For who reads its receipts, too."""
    with pytest.raises(DamagedList, match="not there"):
        lists.renames("0" * 64)
    with pytest.raises(DamagedList, match="not there"):
        lists.receipts("0" * 64, None, 1)


def test_a_list_whose_end_is_lost_is_not_taken_for_a_short_one(lists, listed, tmp_path):
    """Its receipts end with an empty line, or they are not all."""
    path = tmp_path / "changes" / listed
    path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n")
    with pytest.raises(DamagedList, match="something else"):
        lists.receipts(listed, None, 10)


def test_a_list_that_cannot_be_written_leaves_nothing(lists, tmp_path):
    """A full disk does not fill up with the beginnings of lists."""

    def receipts():
        yield RECEIPTS[0]
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        lists.write(RENAMES, receipts())
    assert list((tmp_path / "changes").iterdir()) == []


def test_a_list_goes_when_it_is_old_and_nothing_names_it(lists, listed, tmp_path):
    """Young ones may be about to be named, and another process may be quicker."""
    lists.forget(lambda _: False)
    assert (tmp_path / "changes" / listed).exists()
    lists.forget(lambda name: name == listed, grace=timedelta(seconds=-10))
    assert (tmp_path / "changes" / listed).exists()
    lists.forget(lambda name: (tmp_path / "changes" / name).unlink(), grace=timedelta(seconds=-10))
    assert list((tmp_path / "changes").iterdir()) == []
