"""The shapes of the race: which name changes places with what, and how to put them back."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.system.race.outside import FILES

USER = "local"


@dataclass(frozen=True)
class Thing:
    """One half of a pair: its file type, and how to make one."""

    format: int
    make: Callable[[Path], None]


@dataclass(frozen=True)
class Shape:
    """A workspace of this name in which `hot` changes places with `cold`.

    Both are paths from the directory that holds the workspaces. `files` and `folders` are what
    calls are aimed at, from the workspace; `inner` is what stands before a new name.
    """

    name: str
    real: Thing
    trap: Thing
    hot: str
    cold: str
    files: tuple[str, ...]
    folders: tuple[str, ...]
    inner: str

    def pair(self, workspaces: Path) -> tuple[Path, Path]:
        """Return the two names."""
        return workspaces / self.hot, workspaces / self.cold

    def mend(self, workspaces: Path) -> None:
        """Make what calls took away. The swapper must hold still; calls may go on."""
        pair = self.pair(workspaces)
        pair[0].parent.mkdir(parents=True, exist_ok=True)
        for wanted, other in ((self.trap, self.real), (self.real, self.trap)):
            found = [_format(name) for name in pair]
            if wanted.format not in found:
                place = pair[0] if found[1] == other.format != found[0] else pair[1]
                _remove(place)
                wanted.make(place)
        for name in pair:
            if _format(name) == stat.S_IFDIR:
                _fill(name)

    def settle(self, workspaces: Path) -> None:
        """Leave the real thing under its name, once nothing is swapped any more."""
        self.mend(workspaces)
        hot, cold = self.pair(workspaces)
        if _format(hot) != self.real.format:
            aside = hot.with_name("aside")
            for source, target in ((hot, aside), (cold, hot), (aside, cold)):
                source.rename(target)


def _format(path: Path) -> int | None:
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return None


def _remove(path: Path) -> None:
    if _format(path) == stat.S_IFDIR:
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _fill(directory: Path) -> None:
    for name in FILES:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write(path)


def _write(path: Path) -> None:
    path.write_text("inside\n")


FILE = Thing(stat.S_IFREG, _write)
DIRECTORY = Thing(stat.S_IFDIR, _fill)
FIFO = Thing(stat.S_IFIFO, os.mkfifo)


def _link(target: Path | str) -> Thing:
    return Thing(stat.S_IFLNK, lambda path: path.symlink_to(target))


def _chain(target: Path) -> Thing:
    """A link to a link to a link to the target."""

    def make(path: Path) -> None:
        for name, leads_to in (("second", target), ("first", "second"), (path.name, "first")):
            with suppress(FileExistsError):
                (path.parent / name).symlink_to(leads_to)

    return Thing(stat.S_IFLNK, make)


def _directory(name: str, trap: Thing, above: str = "", below: str = "") -> Shape:
    """A directory in the workspace; `above` and `below` put more names around it in each path."""
    hot = f"{above}hot"
    return Shape(
        name=name,
        real=DIRECTORY,
        trap=trap,
        hot=f"{name}/{hot}",
        cold=f"{name}/{above}cold",
        files=tuple(f"{hot}/{file}" for file in FILES),
        folders=(".", above or ".", hot, f"{hot}/deep"),
        inner=f"{hot}/{below}",
    )


def _file(name: str, trap: Thing) -> Shape:
    """A file in the workspace, attacked as what it is and as a directory."""
    hot, cold = f"{name}/hot", f"{name}/cold"
    return Shape(name, FILE, trap, hot, cold, ("hot",), (".", "hot"), inner="hot/")


def _root(name: str, trap: Thing) -> Shape:
    """The workspace itself."""
    return Shape(name, DIRECTORY, trap, name, f"{name}-cold", FILES, (".", "deep"), inner="")


GROUPS = ("links", "kinds", "root")
"""Shapes that are raced at the same time, in a workspace each."""


def shapes_of(group: str, outside: Path, sibling: str) -> list[Shape]:
    """Return the shapes of a group; `sibling` is the name of the workspace beside them."""
    return {
        "links": [
            _directory("directory", _link(outside)),
            _file("file", _link(outside / "canary.txt")),
            _directory("middle", _link(outside), above="top/", below="deep/"),
            _directory("sibling", _link(f"../{sibling}")),
            _directory("chain", _chain(outside)),
        ],
        "kinds": [_file("fifo", FIFO), _directory("kinds", FILE)],
        "root": [_root("root", _link(outside))],
    }[group]
