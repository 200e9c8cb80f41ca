"""From words to commands: parses a goal by rules.lark and builds what it asks for."""

import difflib
import json
import re
from collections.abc import Sequence
from importlib.resources import files

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken

from common.errors import ClientError
from common.globs import InvalidPattern, compile_glob
from orchestrator.planners.commands import (
    Arguments,
    Command,
    ListDirectory,
    OneCall,
    ReadFile,
    Scope,
    Search,
    scope_of,
)
from orchestrator.planners.multi_commands import Append, Find, Replace

FORMS = (
    "list files in src",
    "find *.py in src",
    "search for 'text' in src",
    "search for 'text' in *.py in src",
    "read README.md",
    "write 'text' to notes.txt",
    "append 'text' to notes.txt",
    "replace 'old' with 'new' in README.md",
    "replace 'old' with 'new' in *.py in src",
    "create directory docs",
    "create file notes.txt with 'text'",
)
SHOWN = 40
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t"}


class _Builder(Transformer[Token, list[Command]]):
    """Turns each rule of the grammar into its command."""

    def STRING(self, token: Token) -> str:  # noqa: N802  # Lark calls it by the terminal's name
        return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), token[1:-1])

    def WORD(self, token: Token) -> str:  # noqa: N802  # as above
        return str(token)

    def start(self, commands: list[Command]) -> list[Command]:
        return commands

    def path(self, children: list[str]) -> str:
        return children[0].rstrip("/") or "/"

    def scope(self, children: list[str]) -> Scope:
        return scope_of(children[0], children[1] if len(children) > 1 else None)

    def list_files(self, children: list[str]) -> Command:
        path = children[0] if children else "."
        arguments: Arguments = {"path": path, "limit": 1000}
        return ListDirectory("list_directory", arguments, f"Listed {Scope(path)}")

    def find_files(self, children: list[str]) -> Command:
        compile_glob(children[0])
        return Find(children[0], children[1] if len(children) > 1 else ".")

    def search(self, children: list[str | Scope]) -> Command:
        scope = children[1] if len(children) > 1 else Scope()
        return _search(str(children[0]), scope if isinstance(scope, Scope) else Scope())

    def search_within(self, children: list[str]) -> Command:
        return _search(children[1], scope_of(children[0], None))

    def read(self, children: list[str]) -> Command:
        return ReadFile("read_file", {"path": children[0]}, f"Read '{children[0]}'")

    def write(self, children: list[str]) -> Command:
        content, path = children
        arguments: Arguments = {"path": path, "content": content, "mode": "upsert"}
        return OneCall("write_file", arguments, f"Wrote '{path}'")

    def append(self, children: list[str]) -> Command:
        return Append(children[1], children[0])

    def replace(self, children: list[str | Scope]) -> Command:
        old, new, scope = children
        return Replace(str(old), str(new), scope if isinstance(scope, Scope) else Scope())

    def make_directory(self, children: list[str]) -> Command:
        return OneCall("create_directory", {"path": children[0]}, f"Created '{children[0]}'")

    def make_file(self, children: list[str]) -> Command:
        content = children[1] if len(children) > 1 else ""
        arguments: Arguments = {"path": children[0], "content": content, "mode": "create"}
        return OneCall("write_file", arguments, f"Created '{children[0]}'")


_PARSER = Lark(
    (files("orchestrator.planners") / "rules.lark").read_text(),
    parser="lalr",
    transformer=_Builder(),
)


def parse(goal: str) -> Sequence[Command]:
    """Return the commands of a goal; raise `goal_not_understood` with the nearest form."""
    text = re.sub(r"(?<=[^\s./])\.\s*$", "", goal.strip())  # the full stop of a sentence
    try:
        commands: Sequence[Command] = _PARSER.parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _not_understood(
            text, "" if _is_at_end(error) else text[error.pos_in_stream :]
        ) from error
    except InvalidPattern as error:
        raise ClientError("goal_not_understood", f"A glob is not valid: {error}") from error
    for command in commands:
        if isinstance(command, Replace) and "\n" in command.old:
            raise ClientError("goal_not_understood", "Text to be replaced must be within one line")
    return commands


def _is_at_end(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"


def _search(text: str, scope: Scope) -> Command:
    wanted: Arguments = {"pattern": text, "literal": True, "limit": 1000}
    return Search("search_files", wanted | scope.arguments(), f"Found '{text}' in {scope}")


def _not_understood(goal: str, rest: str) -> ClientError:
    where = f"from {json.dumps(rest[:SHOWN], ensure_ascii=False)} on" if rest else "at its end"
    nearest = difflib.get_close_matches(goal.lower(), FORMS, n=1, cutoff=0.0)
    return ClientError(
        "goal_not_understood",
        f"The goal is not understood {where}",
        hint=f"Did you mean a form like: {nearest[0]}? docs/rules.md shows every form.",
    )
