"""What git would take for its own: nothing comes there, for its programs would be run by the next command.

A `.git` is told by its name; a bare repository, one that `--separate-git-dir` made, or one that comes
in two pulls, only by what lies in it, here and there together.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from agentic.directory.faults import refusal
from agentic.directory.names import (
    SIGNS,
    Parts,
    folded,
    is_forbidden,
    is_repository,
    parsed,
    shown,
    signs,
)
from agentic.directory.pulling.incoming import not_allowed
from agentic.directory.root import Root


def require_no_repository(root: Root, comes: Iterable[str], there: Iterable[str]) -> None:
    """Raise `path_not_allowed` where a path comes into a repository, or makes one of a directory.

    `there`: all the files that the directory is to have, as the two sides know them.
    """
    _require_outside(Path(root.identity.path))
    told = signs(there)
    known: dict[Parts, bool] = {}
    for path in sorted(comes):
        parts = parsed(path)
        for length in range(len(parts)):
            above = parts[:length]
            if above not in known:
                known[above] = is_repository(_signs_here(root, above) | told[_name(above)])
            if known[above]:
                raise not_allowed(path, "git would take the directory for a repository")


def _name(directory: Parts) -> str:
    return folded(shown(directory)) if directory else ""


def _signs_here(root: Root, directory: Parts) -> set[str]:
    found = root.statuses(directory, SIGNS.values()) or {}
    return {sign for sign, name in SIGNS.items() if name in found}


def _require_outside(directory: Path) -> None:
    """Raise where DIR is a part of what git keeps for itself, whatever the server offers."""
    is_in_git = any(is_forbidden(shown((os.fsencode(name),))) for name in directory.parts[1:])
    if is_in_git or any(map(_is_repository_here, (directory, *directory.parents))):
        raise refusal(
            "path_not_allowed",
            f"'{directory}' lies in what git keeps for itself: nothing is written there",
            hint="Name a directory of your own files.",
        )


def _is_repository_here(directory: Path) -> bool:
    return is_repository(
        {sign for sign in SIGNS if os.path.lexists(directory / SIGNS[sign].decode())}
    )
