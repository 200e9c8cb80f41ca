"""Errors in words, and as Python's own."""

import errno

import pytest

from agentic.harnesses.faults import as_os_error, told
from common.errors import error


@pytest.mark.parametrize(
    ("code", "context", "kind", "number"),
    [
        ("path_not_found", {}, FileNotFoundError, errno.ENOENT),
        ("not_a_file", {"errno": "EISDIR"}, IsADirectoryError, errno.EISDIR),
        ("not_a_directory", {"errno": "ENOTDIR"}, NotADirectoryError, errno.ENOTDIR),
        ("not_a_directory", {"errno": "EEXIST"}, FileExistsError, errno.EEXIST),
        ("already_exists", {}, FileExistsError, errno.EEXIST),
        ("denied_by_rule", {}, PermissionError, errno.EACCES),
        ("rejected", {}, PermissionError, errno.EACCES),
        ("permission_denied", {"errno": "EPERM"}, PermissionError, errno.EPERM),
        ("path_not_allowed", {"errno": "ENOENT"}, FileNotFoundError, errno.ENOENT),
        ("quota_exceeded", {"errno": "EODD"}, OSError, errno.EDQUOT),
    ],
)
def test_an_error_of_a_path_is_pythons(code, context, kind, number):
    """The kernel's number says more than the code, where Python knows it."""
    found = as_os_error(error(code, "what happened", hint="do this", **context), "/work/a")
    assert (type(found), found.errno, found.filename) == (kind, number, "/work/a")
    assert all(word in str(found) for word in (code, "what happened", "do this"))


@pytest.mark.parametrize("code", ["unavailable", "session_not_found", "invalid_plan"])
def test_an_error_of_no_path_is_none_of_pythons(code):
    """It stays what it is."""
    assert as_os_error(error(code, "what happened"), "/a") is None


def test_words_have_title_code_detail_fields_and_hint():
    """A model that is told less tries the same again."""
    fields = [{"field": "edits.0", "message": "too short"}]
    assert told(error("invalid_plan", "Not valid", hint="Correct it.", fields=fields)) == (
        "Invalid plan (invalid_plan): Not valid; edits.0: too short. Correct it."
    )
