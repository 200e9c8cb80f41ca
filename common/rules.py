"""Rules: what may be done without asking, what has to be asked for, and what is not done at all."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from common.globs import InvalidPattern, compile_glob
from common.models import Lenient, Strict
from common.tools import ToolName

MAX_RULES = 200
MAX_GLOB = 1024
RuleEffect = Literal["allow", "ask", "deny"]


def _compiles(glob: str) -> str:
    try:
        compile_glob(glob)
    except InvalidPattern as error:
        raise ValueError(f"no glob: {error}") from error
    return glob


PathGlob = Annotated[str, Field(min_length=1, max_length=MAX_GLOB), AfterValidator(_compiles)]
"""A path in the workspace, as `common.globs` has it; a directory's stands for all that is in it."""


class Rule(Strict):
    """What holds for calls of a tool (null: of any) that touch a path (null: any)."""

    tool: ToolName | None = None
    path: PathGlob | None = None
    effect: RuleEffect


RuleList = Annotated[list[Rule], Field(max_length=MAX_RULES)]


class Rules(Strict):
    """All rules of a user, in no order: where several match, the strictest counts."""

    rules: RuleList = []


class RulesKept(Lenient):
    """A user's rules as they are kept; `revision` is their ETag."""

    rules: list[Rule] = []
    revision: int = 0
