"""What a person can choose about a run of the bench."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The choices, each as `python -m bench --help` tells it."""

    rounds: int = 10
    swerex: str | None = None
