"""The paths that a patch names, as our tools write them."""

from common.files.quoting import NOTHING, unquoted


def stripped(old: str, new: str) -> tuple[str | None, str | None]:
    """Return the paths without git's `a/` and `b/`, where both sides have them."""
    has_prefixes = all(
        path == NOTHING or path.startswith(prefix) for path, prefix in ((old, "a/"), (new, "b/"))
    )
    names = [None if path == NOTHING else path[2:] if has_prefixes else path for path in (old, new)]
    return names[0], names[1]


def named_twice(head: str) -> str | None:
    """Return the path that a `diff --git` line has two times, as it may contain spaces itself."""
    both = head.removeprefix("diff --git ").rstrip("\r")
    half = len(both) // 2
    old, new = stripped(unquoted(both[:half]), unquoted(both[half + 1 :]))
    return new if old == new and both[half : half + 1] == " " else None


def renaming(facts: dict[str, str]) -> tuple[str, str] | None:
    """Return the paths of a rename, where git's own lines name both."""
    old, new = facts.get("rename from "), facts.get("rename to ")
    return None if old is None or new is None else (unquoted(old), unquoted(new))
