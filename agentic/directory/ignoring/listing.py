"""What belongs to a directory: what git names in a repository, else what ignore files leave.

`.agenticignore` (the syntax of gitignore, in any directory) takes away from both. A repository
within the directory, a submodule too, is listed by its own rules; `.git` never belongs.
"""

import os
import shutil
import stat
import subprocess
from collections import defaultdict
from dataclasses import dataclass, field

from agentic.directory.ignoring.rules import Rules
from agentic.directory.names import Parts, is_forbidden, is_plain, is_staged, shown
from agentic.directory.root import Root

OWN = b".agenticignore"
_GITIGNORE = b".gitignore"
_REPOSITORY = b".git"
TIMEOUT = 300.0
"""Seconds that git may take."""
_OPTIONS = (
    # a repository may come from anybody: its configuration names no program that would run
    *("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"),
    # and what is a repository without a `.git` was not made by the person, and names no work tree
    *("-c", "safe.bareRepository=explicit"),
    *("ls-files", "--cached", "--others", "--exclude-standard", "-z"),
)


@dataclass
class Listing:
    """What belongs, each with its status (links and specials, too); `own`: `.agenticignore`."""

    own: Rules
    files: dict[Parts, os.stat_result] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, parts: Parts, status: os.stat_result) -> None:
        """Add a file that can belong."""
        if self.may_hold(parts):
            self.files[parts] = status

    def may_hold(self, parts: Parts) -> bool:
        """Tell whether a file can belong at all, whatever git says of it."""
        return not (is_staged(parts[-1]) or is_forbidden(shown(parts)) or self.own.ignores(parts))

    def may_enter(self, parts: Parts) -> bool:
        """Tell whether anything in a directory can belong."""
        return not (is_forbidden(shown(parts)) or self.own.ignores_directory(parts))


def list_files(root: Root) -> Listing:
    """Return what belongs to the directory. Raises errors that name what cannot be looked into."""
    notes: list[str] = []
    listing = Listing(Rules(root, OWN, notes), notes=notes)
    _list(root, (), listing)
    return listing


def _list(root: Root, directory: Parts, listing: Listing) -> None:
    """List a directory that may be, or lie in, a repository: by git where that works."""
    named = _named_by_git(root, directory, listing.notes)
    if not named:  # no repository, or one that ignores this directory as a whole
        _walk(root, directory, listing)
        return
    for parent, names in named.items():
        for name, status in (root.statuses(parent, names) or {}).items():
            _add(root, (*parent, name), status, listing)


def _add(root: Root, parts: Parts, status: os.stat_result, listing: Listing) -> None:
    """Add what git has named: a directory is a repository of its own, or a submodule."""
    if not stat.S_ISDIR(status.st_mode):
        listing.add(parts, status)
    elif listing.may_enter(parts):
        is_repository = root.status((*parts, _REPOSITORY)) is not None
        (_list if is_repository else _walk)(root, parts, listing)


def _walk(root: Root, directory: Parts, listing: Listing) -> None:
    """List a directory by its ignore files."""
    rules = Rules(root, _GITIGNORE, listing.notes)
    pending = [directory]
    while pending:
        here = pending.pop()
        entries = root.entries(here)
        if here != directory and _REPOSITORY in entries:
            _list(root, here, listing)
            continue
        for name, status in entries.items():
            parts = (*here, name)
            if stat.S_ISDIR(status.st_mode):
                pending += _entered(parts, rules, listing)
            elif not rules.ignores(parts):
                listing.add(parts, status)


def _entered(parts: Parts, rules: Rules, listing: Listing) -> list[Parts]:
    is_left_out = rules.ignores_directory(parts) or not listing.may_enter(parts)
    return [] if is_left_out else [parts]


def found_git() -> str:
    """Return where git is; raise FileNotFoundError where it is not.

    Directories on the PATH that are relative are passed over, and so is the current one, in which
    Windows looks first: a program of that name in somebody's directory would run in git's place.
    """
    name = "git.exe" if os.name == "nt" else "git"
    for directory in filter(os.path.isabs, os.get_exec_path()):
        if found := shutil.which(os.path.join(directory, name)):
            return found
    raise FileNotFoundError("git is not installed")


def _named_by_git(root: Root, directory: Parts, notes: list[str]) -> dict[Parts, set[bytes]]:
    """Return the names that git lists, by the directory they are in; nothing where it cannot."""
    try:
        done = subprocess.run(
            (found_git(), *_OPTIONS),
            cwd=os.path.join(root.identity.path, *map(os.fsdecode, directory)),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _without_git(root, directory, notes, str(error))
    if done.returncode != 0:
        return _without_git(root, directory, notes, done.stderr.decode(errors="replace"))
    named = defaultdict(set)
    for path in done.stdout.rstrip(b"\0").split(b"\0"):
        parts = (*directory, *path.rstrip(b"/").split(b"/"))
        if all(map(is_plain, parts)):  # an index may come from anybody, too: it may name `../x`
            named[parts[:-1]].add(parts[-1])
    return named if done.stdout else {}


def _without_git(
    root: Root, directory: Parts, notes: list[str], reason: str
) -> dict[Parts, set[bytes]]:
    """Note why git could not tell of a repository, which is listed by its ignore files then."""
    if root.status((*directory, _REPOSITORY)) is not None or "dubious" in reason:
        lines = [line for line in reason.split("\n") if line.strip()] or ["it failed"]
        notes.append(
            f"git could not list '{shown(directory)}' ({lines[0].strip()}):"
            " its .gitignore files are used without it."
        )
    return {}


def _environment() -> dict[str, str]:
    """Return ours without what would point git at another repository, and nothing that asks."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    # a partial clone may name a program as its remote: older gits fetch from it all the same
    nothing_fetched = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": ""}
    return ours | nothing_fetched | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
