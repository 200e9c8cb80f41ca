"""The sentences that change files: which commands write, append, replace, create, and delete."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from lark import Token, Transformer

from orchestrator.planners.rules.checking import with_looks
from orchestrator.planners.rules.commands import Arguments, Command, MakeDirectory, OneCall, Scope
from orchestrator.planners.rules.looking import checked
from orchestrator.planners.rules.matches import Each
from orchestrator.planners.rules.multi_step import Append, Replace
from orchestrator.planners.rules.targets import (
    Built,
    Subject,
    Target,
    Unclear,
    Word,
    looks_like_a_file,
    paths_of,
)

Mode = Literal["create", "replace", "upsert"]
_OF_ONE = re.compile(r"\bits?\b", re.IGNORECASE)


class Changing(Transformer[Token, Built]):
    """Builds the commands of the grammar's rules that have their names."""

    def write(self, children: list[Any]) -> Built:
        content, targets = children
        return _for_each(targets, lambda target: _write(target, content, "upsert"))

    def write_content(self, children: list[Any]) -> Built:
        target, content = children
        return _for_each([target], lambda target: _write(target, content, "upsert"))

    def overwrite(self, children: list[Any]) -> Built:
        target, content = children
        return _for_each([target], lambda target: _write(target, content, "replace"))

    def appending(self, children: list[Any]) -> Built:
        text, targets = children
        return _for_each(targets, lambda target: Append(_file(target).path, str(text)))

    def replace(self, children: list[Any]) -> Built:
        old, new, scope = children
        return _replaced(old, new, scope)

    def replace_in(self, children: list[Any]) -> Built:
        old, scope, new = children
        return _replaced(old, new, scope)

    def erase(self, children: list[Any]) -> Built:
        old, scope = children
        return _replaced(old, "", scope)

    def create(self, children: list[Any]) -> Built:
        targets, *content = children
        if all(target.kind == "folder" for target in targets) and not content:
            return self.create_folders(children)
        unclear = [t for t in targets if t.kind is None and not looks_like_a_file(t.path)]
        if unclear:
            name = unclear[0].path
            raise Unclear(
                f"'{name}' could be a file or a directory",
                f"create file {name}, or create directory {name}",
            )
        return self.create_files(children)

    def create_files(self, children: list[Any]) -> Built:
        targets, *content = children
        if content and len(targets) > 1:
            raise Unclear("Only one file can be created with a text", "create file a.txt with 'x'")
        return _for_each(targets, lambda target: _write(target, "".join(content), "create"))

    def create_file_in(self, children: list[Any]) -> Built:
        place, target, *content = children
        return self.create_files([[target.beneath(place)], *content])

    def create_folders(self, children: list[Any]) -> Built:
        first, *others = paths_of(children[0])
        folders = [_folder(first), *(_folder(target, is_listed=True) for target in others)]
        return _for_each(folders, _create_folder)

    def create_folder_in(self, children: list[Any]) -> Built:
        place, target = children
        return self.create_folders([[target.beneath(place)]])

    def delete(self, children: list[Any]) -> Built:
        return _deleted(children[0], recursive=False)

    def delete_tree(self, children: list[Any]) -> Built:
        targets, *said = children
        if len(targets) > 1 and any(_OF_ONE.search(words) for words in said):
            path = targets[-1].path
            raise Unclear(
                "Whether all of them go with what is in them is not clear",
                f"delete {path} and everything in it",
            )
        return _deleted([_tree(target) for target in targets], recursive=True)

    def delete_matching(self, children: list[Any]) -> Built:
        [matching] = children
        scope = matching.scopes[0]
        if not matching.is_every and _names_some(scope):
            place = "" if scope.path == "." else f" in {scope.path}"
            raise Unclear(
                f"Whether every '{scope.glob}' is meant is not clear",
                f"delete every {scope.glob}{place}",
            )
        return _deleted(matching.scopes, recursive=False)


def _for_each(targets: Sequence[Any], make: Callable[[Target], Command]) -> Built:
    paths = paths_of(targets)
    return Built([make(target) for target in paths], Subject(tuple(paths)))


def _file(target: Target) -> Target:
    if target.kind == "folder":
        raise Unclear(f"'{target.path}' is called a directory", "write 'text' to docs/notes.txt")
    return target


def _folder(target: Target, *, is_listed: bool = False) -> Target:
    """Return a target as a folder; raise when it is called a file, or is listed and looks like one."""
    form = f"create directory docs; create file {target.path}"
    if target.kind == "file":
        raise Unclear(f"'{target.path}' is called a file", form)
    is_plain = target.kind is None and not target.is_quoted
    if is_listed and is_plain and looks_like_a_file(target.path):
        raise Unclear(f"'{target.path}' could be a file: put a directory's name in quotes", form)
    return replace(target, kind="folder")


def _write(target: Target, content: str, mode: Mode) -> Command:
    path = _file(target).path
    arguments: Arguments = {"path": path, "content": str(content), "mode": mode}
    return OneCall(
        "write_file", arguments, f"{'Created' if mode == 'create' else 'Wrote'} '{path}'"
    )


def _create_folder(target: Target) -> Command:
    return MakeDirectory("create_directory", {"path": target.path}, f"Created '{target.path}'")


def _replaced(old: str, new: str, scope: Scope) -> Built:
    if "\n" in old:
        raise Unclear(
            "Text to be replaced must be within one line", "replace 'old' with 'new' in README.md"
        )
    if not old:
        raise Unclear("There is no text to be replaced")
    scope = checked(scope)
    is_one = scope.glob is None and looks_like_a_file(scope.path)
    subject = Subject((Target(scope.path),)) if is_one else Subject()
    command = Replace(str(old), str(new), scope, is_word=isinstance(old, Word))
    return Built([command], subject)


def _deleted(targets: Sequence[Any], *, recursive: bool) -> Built:
    deleted = Built([_delete(target, recursive=recursive) for target in targets])
    return with_looks(deleted, targets)


def _tree(target: Target | Scope) -> Target | Scope:
    if isinstance(target, Target) and target.kind == "file":
        raise Unclear(
            f"'{target.path}' is called a file: there is nothing in it",
            f"delete file {target.path}",
        )
    return target


def _delete(what: Target | Scope, *, recursive: bool) -> Command:
    if isinstance(what, Scope):
        if not _names_some(what):
            raise Unclear("Everything is not deleted at once", "delete every *.tmp in src")
        return Each(checked(what), "delete_path")
    arguments: Arguments = {"path": what.path}
    if recursive:
        arguments["recursive"] = True
    return OneCall("delete_path", arguments, f"Deleted '{what.path}'")


def _names_some(scope: Scope) -> bool:
    """Tell whether a glob leaves anything out: `*`, `**` and `*.*` name everything."""
    return bool((scope.glob or "").strip("*./"))
