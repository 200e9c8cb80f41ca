"""What the settings of both services share: strict, frozen, from the environment only."""

import difflib
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

USAGE = 2
"""Exit code of a service whose settings are wrong."""


def _seconds(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


Seconds = Annotated[timedelta, BeforeValidator(_seconds), Field(gt=timedelta(0))]
"""A duration, written in seconds."""


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # unlike Path.resolve it takes a loop of links for a name


Directory = Annotated[Path, AfterValidator(_real)]
"""A directory's absolute path, without links: it stays the same wherever the process goes."""


class ServiceSettings(BaseSettings):
    """Where a service listens and how it logs."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""
    log_format: Literal["json", "console"] = "json"
    """How log lines look."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe line that is logged."""
    shutdown_grace: Seconds = timedelta(seconds=8)
    """Seconds that requests in flight get after SIGTERM."""

    @classmethod
    def variables(cls) -> list[str]:
        """Return the environment variables that this service reads."""
        prefix = cls.model_config["env_prefix"]
        return [f"{prefix}{name.upper()}" for name in cls.model_fields]

    @classmethod
    def load(cls) -> Self:
        """Read the environment; end the process with a clear message when it is wrong."""
        problems = [_unknown(name, cls.variables()) for name in cls._strangers()]
        if not problems:
            try:
                return cls()
            except ValidationError as error:
                problems = [cls._explain(item) for item in error.errors()]
        sys.stderr.write("".join(f"{problem}\n" for problem in problems))
        raise SystemExit(USAGE)

    @classmethod
    def _strangers(cls) -> list[str]:
        prefix = cls.model_config["env_prefix"]
        known = set(cls.variables())
        return sorted(name for name in os.environ if name.startswith(prefix) and name not in known)

    @classmethod
    def _explain(cls, item: Any) -> str:
        field = "_".join(str(part) for part in item["loc"][:1])
        return f"{cls.model_config['env_prefix']}{field.upper()}: {item['msg']}"


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"{name}: there is no such setting" + (
        f"; did you mean {nearest[0]}?" if nearest else ""
    )
