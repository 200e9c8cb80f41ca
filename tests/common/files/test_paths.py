"""What a path is refused for by its text alone, before the kernel sees it."""

import pytest

from common.errors import ToolError
from common.files.paths import parse


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "empty"), ("/", "absolute"), ("/etc/passwd", "absolute"), ("\\x2fetc", "absolute"),
        ("a\0x", "NUL"), ("a\\x00x", "NUL"), ("..", "'..'"), ("sub/../file", "'..'"),
        ("\\x2e\\x2e/x", "'..'"), ("..\\x2fx", "'..'"), ("x/" * 2047 + "xx", "4095 bytes"),
        ("x" * 256, "255 bytes"), ("sub/" + "ü" * 128, "255 bytes"), ("\ud800", "Unicode"),
        ("sub/\udcff", "Unicode"),
    ],
)  # fmt: skip
def test_a_path_is_refused_by_its_text_alone(path, reason):
    """Each for its own reason, before the kernel sees it."""
    with pytest.raises(ToolError) as caught:
        parse(path)
    assert caught.value.code == "path_not_allowed"
    assert reason in caught.value.detail


@pytest.mark.parametrize("path", ["x/" * 2047 + "x", "x" * 255, "...", "..a", "a\\\\x00"])
def test_a_path_that_only_looks_forbidden_is_allowed(path):
    """The bounds are exact, and dots are just characters elsewhere."""
    assert parse(path)
