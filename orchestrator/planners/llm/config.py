"""What a deployment chooses about its models."""

from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr

USUAL_CONTEXT = 32_768
"""Tokens that a model can read and write at once, where nobody says how many."""


class UnusableModel(Exception):
    """A model that cannot be asked as it is configured; one line says what to change."""


@dataclass(frozen=True)
class LoopLimits:
    """How often in a row: then the model is nudged, and stopped when that has not helped."""

    same: int = 4
    """The same call with the same result."""
    errors: int = 3
    """The same error."""
    alternating: int = 6
    """Two calls in turn; longer circles as many rounds."""


@dataclass(frozen=True)
class ModelConfig:
    """The models of a deployment, and how they are asked."""

    model: str
    """`<provider>:<name>`, of runs that name none."""
    others: tuple[str, ...] = ()
    """Further ones that a run may name."""
    base_url: str | None = None
    api_key: SecretStr | None = None
    temperature: float | None = None
    max_output: int = 8192
    """Tokens of one answer."""
    context: int | None = None
    """Tokens that the model can read and write at once."""
    timeout: timedelta = timedelta(seconds=600)
    first_token: timedelta = timedelta(seconds=120)
    attempts: int = 6
    loops: LoopLimits = field(default_factory=LoopLimits)
