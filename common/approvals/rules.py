"""Rules: what may be done without asking, what has to be asked for, and what is not done at all."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from common.models import Lenient, Strict
from common.tools import ToolName

MAX_RULES = 200
MAX_GLOB = 1024
RuleEffect = Literal["allow", "ask", "deny"]


def _plain(glob: str) -> str:
    """Return a glob as paths are written; refuse one that no path could match, for it would deny nothing."""
    glob = glob.removeprefix("./").rstrip("/")
    if not glob or glob.startswith("/") or ".." in glob.split("/"):
        raise ValueError("it is relative to the workspace, without '..'")
    return glob


PathGlob = Annotated[str, Field(min_length=1, max_length=MAX_GLOB), AfterValidator(_plain)]
"""Paths of the workspace, as tools show them: `*.pem` at any depth, `secrets` with all that is in it,
`docs/**/*.md`."""


class Rule(Strict):
    """What holds for calls of a tool (null: of any) that touch a path (null: any)."""

    tool: ToolName | None = None
    path: PathGlob | None = None
    effect: RuleEffect


RuleList = Annotated[list[Rule], Field(max_length=MAX_RULES)]
"""In order: of those that match a path the first one counts, but any `deny` wins."""


class RulesReplace(Strict):
    """All rules of a user: they take the place of those there were."""

    rules: RuleList


class Rules(Lenient):
    """A user's rules; `revision` is their ETag."""

    rules: list[Rule] = []
    revision: int = 0
