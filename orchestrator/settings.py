"""The orchestrator's settings: environment variables that start with ORCHESTRATOR_."""

import ipaddress
import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ByteSize,
    Field,
    HttpUrl,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode, SettingsConfigDict

from common.approvals.reviews import Policy
from common.context import MAX_TIMEOUT
from common.ids import Name
from common.sessions import long_enough
from common.settings import Directory, Seconds, ServiceSettings
from orchestrator.planners.llm.config import LoopLimits, ModelConfig
from orchestrator.store.server.addresses import read_address


def _key_table(value: Any) -> Any:
    """Read `<sha256>:<user>,…`; the digests keep the keys themselves out of the environment."""
    if not isinstance(value, str):
        return value
    pairs = [pair.strip().partition(":") for pair in value.split(",") if pair.strip()]
    if any(not re.fullmatch(r"[0-9a-f]{64}", digest) for digest, _, _ in pairs):
        raise ValueError("each entry must be <sha256 of the key, 64 lower-case hex digits>:<user>")
    table = {bytes.fromhex(digest): user for digest, _, user in pairs}
    if len(table) < len(pairs):  # one of them would win in silence, and act as the wrong user
        raise ValueError("two entries have the same digest: a key belongs to one user")
    return table


def _names(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


ModelName = Annotated[str, Field(pattern=r"^[a-z0-9_-]+(/[a-z0-9_-]+)?:[^\s,]{1,150}$")]


def _known_address(url: SecretStr) -> SecretStr:
    read_address(url.get_secret_value())
    return url


class Settings(ServiceSettings):
    """Everything that a deployment can choose about the orchestrator."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_")

    role: Literal["all", "api", "worker"] = "all"
    """Whether the process answers clients (`api`), executes runs (`worker`), or both (`all`)."""
    redis_url: Annotated[SecretStr, AfterValidator(_known_address)] | None = None
    """The Redis to keep state in; unset: an embedded server of its own."""
    replica_acks: Annotated[int, Field(ge=0, le=16)] = 0
    """Replicas of Redis that have to have a decision before its first effect."""
    data_dir: Directory | None = None
    """Where the embedded server keeps its data; required when there is no Redis URL."""
    key_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$")] = "agentic"
    """What every Redis key starts with."""
    session_ttl: Annotated[Seconds, AfterValidator(long_enough)] = timedelta(days=7)
    """Seconds that an idle session, its runs and its events are kept; 60 at least."""
    lease: Seconds = timedelta(seconds=5)
    """Seconds after which a silent worker loses its runs to another."""
    concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    """Runs that one worker process executes at the same time."""
    parallel_reads: Annotated[int, Field(ge=1, le=64)] = 8
    """Reads of one decision that are made side by side."""
    user_concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    """Runs of one user that go on at the same time, over all processes; further ones wait in line."""
    model: ModelName | None = None
    """The model of the `llm` planner, `<provider>:<name>`; unset: there is none."""
    models: Annotated[tuple[ModelName, ...], NoDecode, BeforeValidator(_names)] = ()
    """Other models that a run may name, comma-separated."""
    model_base_url: HttpUrl | None = None
    """Where an OpenAI-compatible server answers, for `openai:` models; unset: the provider's own."""
    model_api_key: SecretStr | None = None
    """The provider's key; unset: the provider's usual variable."""
    model_temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """How freely the model chooses its words; unset: as the provider has it."""
    model_max_output: Annotated[int, Field(ge=64, le=200_000)] = 8192
    """Tokens of one answer of the model."""
    model_context: Annotated[int, Field(ge=2048)] | None = None
    """Tokens that the model can read and write at once; unset: what is known of it, else 32768."""
    model_timeout: Seconds = timedelta(seconds=600)
    """Seconds that one request to the model may take."""
    model_first_token: Seconds = timedelta(seconds=120)
    """Seconds within which its answer has to begin."""
    model_attempts: Annotated[int, Field(ge=1, le=20)] = 6
    """How often a model that fails or is overloaded is asked for one answer."""
    stuck_same: Annotated[int, Field(ge=2)] = 4
    """The same call with the same result so many times in a row: the model is nudged, then stopped."""
    stuck_errors: Annotated[int, Field(ge=2)] = 3
    """The same error so many times in a row, likewise."""
    stuck_alternating: Annotated[int, Field(ge=4)] = 6
    """Two calls in turn so many times, likewise; up to six calls in turn for as many rounds."""
    approval: Policy = "never"
    """What of a run asks a person first, where the run does not say: `never`, `plan`, `writes`, `always`."""
    approval_timeout: Seconds | None = None
    """Seconds that a run waits for a person's answer before it fails; unset: for ever."""
    call_timeout: Annotated[Seconds, Field(le=timedelta(seconds=MAX_TIMEOUT))] = timedelta(
        seconds=60
    )
    """Seconds that one tool call may take, waiting for the execution environment included."""
    transfer_timeout: Annotated[Seconds, Field(le=timedelta(seconds=MAX_TIMEOUT))] = timedelta(
        seconds=MAX_TIMEOUT
    )
    """Seconds that one file, or one archive, may take to come or to go."""
    max_body: ByteSize = ByteSize(4 * 1024 * 1024)
    """The longest request body, in bytes."""
    execution_url: HttpUrl
    """Where the execution environment listens."""
    service_token: SecretStr
    """The bearer secret shown to the execution environment."""
    api_keys: Annotated[dict[bytes, Name], NoDecode, BeforeValidator(_key_table)] = {}
    """Clients' keys: `<sha256 of a key>:<user>`, comma-separated; none: user `local` only."""
    allow_anonymous: bool = False
    """Whether to listen beyond loopback without any API key."""

    request_rate: Annotated[int, Field(ge=0)] | None = None
    """Requests per second of one user, twice as many at once; 0: any number; unset: 100, or any
    number where there are no API keys."""
    run_rate: Annotated[int, Field(ge=0)] | None = None
    """Runs that one user may start per minute; 0: any number; unset: 600, or as above."""
    max_streams: Annotated[int, Field(ge=0)] | None = None
    """Event streams that one user may have open; 0: any number; unset: 200, or as above."""

    @property
    def user_limits(self) -> tuple[int, int, int]:
        """Requests per second, runs per minute and open streams of each user; 0 is any number."""
        chosen = (self.request_rate, self.run_rate, self.max_streams)
        usual = (100, 600, 200) if self.api_keys else (0, 0, 0)
        requests, runs, streams = (
            one if given is None else given for given, one in zip(chosen, usual, strict=True)
        )
        return requests, runs, streams

    @property
    def llm(self) -> ModelConfig | None:
        """What the `llm` planner works with; None: there is no model."""
        if self.model is None:
            return None
        return ModelConfig(
            model=self.model,
            others=self.models,
            base_url=None if self.model_base_url is None else str(self.model_base_url),
            api_key=self.model_api_key,
            temperature=self.model_temperature,
            max_output=self.model_max_output,
            context=self.model_context,
            timeout=self.model_timeout,
            first_token=self.model_first_token,
            attempts=self.model_attempts,
            loops=LoopLimits(self.stuck_same, self.stuck_errors, self.stuck_alternating),
        )

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.redis_url is None and self.data_dir is None:
            raise ValueError("give ORCHESTRATOR_REDIS_URL, or ORCHESTRATOR_DATA_DIR to embed one")
        if self.models and self.model is None:
            raise ValueError(
                "ORCHESTRATOR_MODELS come beside a model: give ORCHESTRATOR_MODEL, too"
            )
        if not (self.api_keys or self.allow_anonymous or is_loopback(self.host)):
            raise ValueError(
                f"to listen on {self.host}, configure ORCHESTRATOR_API_KEYS"
                " (or set ORCHESTRATOR_ALLOW_ANONYMOUS to serve everybody)"
            )
        return self


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
