"""The execution environment's settings: environment variables that start with EXEC_ENV_."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ByteSize, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from common.settings import Directory, Seconds, ServiceSettings

_MIB = 1024 * 1024


class Settings(ServiceSettings):
    """Everything that a deployment can choose about the execution environment."""

    model_config = SettingsConfigDict(env_prefix="EXEC_ENV_")

    port: Annotated[int, Field(ge=0, le=65535)] = 8001
    """Port to listen on; 0 takes a free one."""
    data_dir: Directory
    """Holds `workspaces/`, and `state/` beside it; both on one local file system."""
    service_token: SecretStr
    """The bearer secret that callers must show."""
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    """Threads for file work."""
    backlog: Annotated[int, Field(ge=0)] = 256
    """Calls that may wait for a thread; more are answered 503."""
    max_read: ByteSize = ByteSize(8 * _MIB)
    """The most that one call returns of a file, in bytes."""
    max_write: ByteSize = ByteSize(32 * _MIB)
    """The largest file that a call may write or edit, in bytes."""
    workspace_quota: ByteSize = ByteSize(10 * 1024 * _MIB)
    """What the files of one workspace may take up, in bytes."""
    workspace_entries: Annotated[int, Field(ge=1)] = 200_000
    """Files and directories that one workspace may hold."""
    result_ttl: Annotated[Seconds, Field(le=timedelta(days=90))] = timedelta(days=7)
    """Seconds for which a call's result is kept for those who ask again; 90 days at most."""
    audit_retention: Seconds | None = None
    """Seconds after which files of the audit trail are removed; unset: they stay."""
    max_batch: Annotated[int, Field(ge=1, le=256)] = 32
    """The most calls that a batch of reads may have; its answer may hold as many times `max_read`."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Server processes on the one data directory."""
    one_cpu: bool = True
    """Whether a server process keeps its threads on one CPU, which the kernel chooses every few seconds."""
    landlock: Literal["auto", "off"] = "auto"
    """Whether the process gives up all files but its own, where the kernel can hold it to that."""
    max_body: ByteSize = ByteSize(48 * _MIB)
    """The longest request body, in bytes."""
