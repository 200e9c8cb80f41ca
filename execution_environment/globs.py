"""Globs over workspace paths, as RE2 patterns.

`*` and `?` stay within one name, `**` crosses directories, `[…]` is a set. A glob without `/` is
matched against the name, one with `/` against the whole path.
"""

import re
from typing import Any

import re2

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def compile_glob(glob: str) -> Any:
    """Return a compiled pattern whose `fullmatch` takes a path relative to the searched one."""
    body = "".join(map(_translate, _TOKENS.findall(glob)))
    prefix = "" if "/" in glob else "(?:.*/)?"
    return compile_pattern(f"(?s){prefix}{body}")


def compile_pattern(pattern: str, *, ignore_case: bool = False, by_line: bool = False) -> Any:
    """Compile an RE2 pattern; raises re2.error. RE2 runs in linear time, whatever the pattern.

    With `by_line`, a match never crosses a newline.
    """
    options = re2.Options()
    options.never_nl = by_line
    options.log_errors = False
    options.max_mem = 8 << 20
    options.case_sensitive = not ignore_case
    return re2.compile(pattern, options)


def _translate(token: str) -> str:
    fixed = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in fixed:
        return fixed[token]
    if len(token) > 1:
        body = token[1:-1].replace("\\", "\\\\")
        return f"[^{body[1:]}/]" if body.startswith("!") else f"[{body}]"
    return re.escape(token)
