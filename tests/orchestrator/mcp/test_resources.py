"""Which file a URI names, and what comes of it."""

import base64

import pytest

from common.errors import ToolError
from orchestrator.mcp.resources import MAX_SIZE, _contents, _File, _path_of


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a.txt", "a.txt"),
        ("file:///a%20b/%C3%A4.txt", "a b/ä.txt"),
        ("file:///100%25", "100%"),
        ("file:///a%3Fb%23c", "a?b#c"),
        ("file:///../x", "../x"),
        ("file:///%2e%2e/x", "../x"),
        ("file:////etc/passwd", "/etc/passwd"),
        ("file:///a//b", "a//b"),
        ("file:///a%00b", "a\0b"),
        ("file:///a\tb\n", "a\tb\n"),
        (r"file:///a%5Cx09b", r"a\x09b"),
    ],
)
def test_uri_is_decoded_once_and_not_normalised(uri, path):
    """What the path rules refuse has to come to them as it is."""
    assert _path_of(uri) == path


@pytest.mark.parametrize(
    "uri",
    [
        "file:///a%2Fb", "file:///..%2fx", "file://host/a", "file:a", "file:/a", "http:///a",
        "file:///a?b", "file:///a#b", "FILE:///a", "",
        "file:///a?", "file:///a#", "file:///%ff", "file:///a/%c3", "file://[",
    ],
)  # fmt: skip
def test_uri_of_something_else_is_refused(uri):
    """No name becomes two, and no other machine's file is one of these."""
    with pytest.raises(ToolError) as refusal:
        _path_of(uri)
    assert refusal.value.code == "invalid_arguments"


def file(data, *, truncated=False, size=None):
    """Return what read_file gives of a file."""
    content = base64.b64encode(data).decode()
    return _File(content=content, size=len(data) if size is None else size, truncated=truncated)


def test_text_is_text_and_all_else_is_bytes():
    """A client shows the one and saves the other."""
    text = _contents("file:///a.md", file("ä\n".encode()))
    assert (text.text, text.mime_type) == ("ä\n", "text/markdown")
    binary = _contents("file:///a.png", file(b"\xff\0"))
    assert (base64.b64decode(binary.blob), binary.mime_type) == (b"\xff\0", "image/png")


def test_file_that_is_too_large_is_not_half_a_file():
    """Whoever saved it would not know."""
    with pytest.raises(ToolError) as refusal:
        _contents("file:///a", file(b"x", truncated=True, size=MAX_SIZE + 1))
    assert refusal.value.code == "file_too_large"
    assert "read_file" in refusal.value.hint
