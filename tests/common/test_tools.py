"""Tools that are meant by the name of none."""

import time

import pytest

from common.tools import did_you_mean

NAMES = ("delete_path", "edit_file", "list_directory", "read_file", "read_files", "write_file")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("reed_file", "Did you mean read_file or read_files?"),
        ("delete_file", "Did you mean delete_path?"),
        ("List_Directories", "Did you mean list_directory?"),
        ("bash", None),
        ("", None),
    ],
)
def test_did_you_mean_names_the_nearest_first_and_nothing_that_is_far(name, hint):
    """A wrong suggestion would be followed."""
    assert did_you_mean(name, NAMES) == hint


def test_did_you_mean_takes_no_longer_for_an_endless_name():
    """It comes from a model or a client, who may write anything."""
    started = time.perf_counter()
    did_you_mean("read_file" * 100_000, NAMES * 100)
    assert time.perf_counter() - started < 1
