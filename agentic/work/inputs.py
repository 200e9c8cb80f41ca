"""What is made of a command's options: an order, a budget, settings; wrong ones are usage errors."""

import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agentic.api.transport import checked_url
from agentic.terminal.running import Order
from common.approvals.reviews import Policy
from common.approvals.rules import RuleList
from common.context import Access
from common.errors import ClientError
from common.models import Strict
from common.plans import Plan
from common.runs import Budget
from common.tools import JsonSchema

M = TypeVar("M", bound=BaseModel)
_FAULTS = {
    "missing": "is missing",
    "extra_forbidden": "is not known: a rule has tool, path and effect",
    "literal_error": "has to be {expected}",
    "value_error": "is wrong: {error}",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "string_too_long": "has more than {max_length} characters",
    "too_long": "has more than {max_length} rules",
    "list_type": "is no list",
    "model_type": "is no object",
    "int_type": "is no whole number",
}
"""How rules are wrong, by pydantic's name of it."""
_MODEL = re.compile(r"[a-z0-9_-]+(/[a-z0-9_-]+)?:[^\s,]+")


class RulesFile(Strict):
    """A user's rules as a file holds them; with a revision they replace those of that one only."""

    rules: RuleList
    revision: int | None = None


def terms_of(model: str | None, approval: Policy | None, *, is_read_only: bool) -> Order:
    """Return an order of nothing yet: what holds for whatever is run."""
    access: Access | None = "read_only" if is_read_only else None
    return Order(model=model, approval=approval, access=access)


def order_of(
    terms: Order,
    *,
    goal: str | None,
    plan: Path | None,
    instructions: str | None,
    tools: list[str] | None,
    budget: Budget | None,
    output_schema: Path | None,
) -> Order:
    """Return what is to be run; the plan and the schema are files."""
    if (goal is None) == (plan is None):
        raise typer.BadParameter("give either a GOAL or --plan FILE")
    if goal is not None and not goal:  # before a directory is sent for it
        raise typer.BadParameter("the GOAL is empty")
    return replace(
        terms,
        goal=goal,
        plan=plan_of(plan),
        instructions=instructions,
        tools=tuple(tools) if tools else None,
        budget=budget,
        output_schema=schema_of(output_schema),
    )


def budget_of(**bounds: float | None) -> Budget | None:
    """Return the budget with the bounds that are given; None where none is."""
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return _validated(Budget, given, "the budget") if given else None


def plan_of(path: Path | None) -> Plan | None:
    """Return the plan that a file holds, or standard input (`-`)."""
    return None if path is None else _validated(Plan, _json_of(path), f"{path} is not a plan")


def rules_of(path: Path) -> RulesFile:
    """Return the rules that a file holds, or standard input (`-`): a list, or with a revision."""
    held = _json_of(path)
    given = {"rules": held} if isinstance(held, list) else held
    try:
        return RulesFile.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(_fault_of_rules(one) for one in error.errors())
        raise typer.BadParameter(f"{path} has no good rules: {faults}") from error


def _fault_of_rules(fault: ErrorDetails) -> str:
    """Return where rules are wrong, counting them from 1, and how."""
    loc = fault["loc"][1:] if fault["loc"][:1] == ("rules",) else fault["loc"]
    where = [f"rule {part + 1}" if isinstance(part, int) else part for part in loc]
    context = fault.get("ctx", {})
    told = _FAULTS.get(fault["type"], "is not what it has to be").format(**context)
    return f"{', '.join(where or map(str, fault['loc'])) or 'the file'} {told}"


def schema_of(path: Path | None) -> JsonSchema | None:
    """Return the JSON schema that a file holds."""
    if path is None:
        return None
    schema = _json_of(path)
    if not isinstance(schema, dict):
        raise typer.BadParameter(f"{path} is not a JSON schema: it has to be an object")
    return schema


def model_settings(
    model: str | None,
    base_url: str | None,
    others: str | None = None,
    context: int | None = None,
) -> dict[str, str]:
    """Return the orchestrator's settings of its model: those that are given.

    The others come from our own environment, which the services inherit: keys above all.
    """
    if model is None and "ORCHESTRATOR_MODEL" not in os.environ:
        if (base_url, others, context) != (None, None, None):
            raise typer.BadParameter("name the model as well: --model PROVIDER:NAME")
        return {}
    if model is not None and not _MODEL.fullmatch(model):
        raise typer.BadParameter(
            f"--model {model} is not of the form PROVIDER:NAME;"
            f" of an OpenAI-compatible server it is openai:{model}"
        )
    if base_url is not None:
        _check_url(base_url)
    given = {
        "ORCHESTRATOR_MODEL": model,
        "ORCHESTRATOR_MODEL_BASE_URL": base_url,
        "ORCHESTRATOR_MODELS": others,
        "ORCHESTRATOR_MODEL_CONTEXT": None if context is None else str(context),
    }
    return {name: value for name, value in given.items() if value is not None}


def default_data_dir() -> Path:
    """Return where a stack keeps its data when nothing else is said."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "agentic"


def history_file() -> Path:
    """Return where the lines of conversations are kept."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "agentic" / "chat_history"


def _check_url(base_url: str) -> None:
    try:
        checked_url(base_url)
    except ClientError as error:
        raise typer.BadParameter(f"--base-url {base_url}: {error.detail}") from error


def _json_of(path: Path) -> Any:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        return json.loads(text)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{path} is not JSON: {error}") from error


def _validated(model: type[M], given: Any, what: str) -> M:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise typer.BadParameter(f"{what}: {told}") from error
