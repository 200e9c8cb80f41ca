"""Globs over workspace paths, and the RE2 patterns that they are made of.

`*` and `?` stay within one name, `**` crosses directories, `[…]` is a set. A glob without `/` is
matched against the name, one with `/` against the whole path. RE2 runs in linear time, whatever
the pattern: https://github.com/google/re2/wiki/Syntax.
"""

import re
from typing import Any

import re2

MAX_MEMORY = 8 << 20
"""Bytes that a compiled pattern may take."""


class InvalidPattern(ValueError):
    """RE2 does not take the pattern; the message says why."""


_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
_FIXED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def compile_glob(glob: str) -> Any:
    """Return a compiled pattern whose `fullmatch` takes a path relative to the searched one.

    Raises InvalidPattern for a set that makes no sense, such as `[z-a]`.
    """
    return compile_pattern(glob_pattern(glob))


def glob_pattern(*globs: str) -> str:
    """Return what RE2 takes for what any of some globs matches."""
    return f"(?s){'|'.join(map(_alternative, globs))}"


def _alternative(glob: str) -> str:
    body = "".join(map(_translate, _TOKENS.findall(glob)))
    return body if "/" in glob else f"(?:.*/)?{body}"


def compile_pattern(pattern: str, *, ignore_case: bool = False, by_line: bool = False) -> Any:
    """Compile an RE2 pattern, or raise InvalidPattern. With `by_line`, no match crosses a newline."""
    options = re2.Options()
    options.never_nl = by_line
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.case_sensitive = not ignore_case
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        raise InvalidPattern(reason.decode() if isinstance(reason, bytes) else reason) from error


def _translate(token: str) -> str:
    if token in _FIXED:
        return _FIXED[token]
    if len(token) > 1:
        body = token[1:-1].replace("\\", "\\\\")
        return _without(body[1:]) if body.startswith("!") else f"[{body}]"
    return re.escape(token)


def _without(left_out: str) -> str:
    """What stands first in a set is only itself there, and a slash stands before it now."""
    escape = "\\" if left_out[:1] in ("]", "-") else ""
    return f"[^/{escape}{left_out}]"
