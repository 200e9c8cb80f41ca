"""Opens a model by its name: which library class, which address, which key."""

import os
import re
import warnings
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers import Provider, infer_provider, infer_provider_class

from orchestrator.planners.llm.config import ModelConfig, UnusableModel
from orchestrator.planners.llm.providers.http import make_http_client

NO_KEY = "none"
"""What is sent to a server of one's own that asks for no key: the libraries insist on one."""
CHAT = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
"""An answer of a chat completion without its reason to end is one that broke off."""
READY = OpenAIModelProfile(**CHAT, json_schema_transformer=None)
"""Likewise, and tools go as they are: walking their schemas anew was a sixth of a request's CPU."""
COMPATIBLE = OpenAIModelProfile(
    **READY,
    openai_chat_supports_max_completion_tokens=False,  # `max_tokens` is what all of them know
)

SAYS_WHAT_CAME = ("Pydantic serializer warnings", "Failed to extract usage")
"""How warnings begin that hold what a provider has sent, which may be the key: nobody logs them."""


def open_client(name: str, config: ModelConfig) -> Model[Any]:
    """Return the library's model for `<provider>:<name>`.

    The configured key and address are those of the default model's provider: a model of another one
    never gets them. Raises UnusableModel for an unknown provider, a missing extra, a missing key.
    """
    for beginning in SAYS_WHAT_CAME:
        warnings.filterwarnings("ignore", beginning)
    provider, _, model = name.partition(":")
    is_default = provider == config.model.partition(":")[0]
    key = config.api_key.get_secret_value() if config.api_key and is_default else None
    base_url = config.base_url if is_default else None
    try:
        return _open(provider, model, base_url, key)
    except ImportError as error:
        raise UnusableModel(
            f"the model {name} needs what is not installed: {_line(error)}"
        ) from None
    except (UserError, ValueError, TypeError) as error:
        raise UnusableModel(f"the model {name} cannot be used: {_advice(error)}") from None


def _open(provider: str, model: str, base_url: str | None, key: str | None) -> Model[Any]:
    if base_url is not None and provider == "openai":
        return _compatible(model, base_url, key)
    if base_url is not None and provider == "anthropic":
        return _anthropic(model, base_url, key)
    opened = infer_model(f"{provider}:{model}", lambda name: _provider(name, base_url, key))
    return _requiring_an_end(opened)


def _provider(name: str, base_url: str | None, key: str | None) -> Provider[Any]:
    given = {"base_url": base_url, "api_key": key}
    chosen = {option: value for option, value in given.items() if value is not None}
    if not chosen or name.startswith("gateway/"):  # a gateway's key is not its upstream's
        return infer_provider(name)
    return infer_provider_class(name)(**chosen)


def _compatible(model: str, base_url: str, key: str | None) -> Model[Any]:
    """Chat completions, which is what servers mean by compatible; a key is only sent if it is set."""
    # an SDK is 24 to 42 MiB and up to 2 s: imported where a model of its kind is configured
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415

    client = make_http_client(base_url)
    key = key or NO_KEY
    if (urlsplit(base_url).hostname or "").endswith("openai.com"):
        own = OpenAIProvider(base_url=base_url, api_key=key, http_client=client)
        return OpenAIChatModel(model, provider=own, profile=READY)
    other = OpenAICompatibleProvider(
        "compatible", base_url=base_url, api_key=key, http_client=client
    )
    return OpenAIChatModel(model, provider=other, profile=COMPATIBLE)


def _anthropic(model: str, base_url: str, key: str | None) -> Model[Any]:
    # likewise
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

    provider = AnthropicProvider(
        api_key=key or NO_KEY, base_url=base_url, http_client=make_http_client(base_url)
    )
    return AnthropicModel(model, provider=provider)


def _requiring_an_end(model: Model[Any]) -> Model[Any]:
    """Let a chat completion that ends without a reason be an error, for all who speak it."""
    if not any("OpenAIChatModel" in cls.__name__ for cls in type(model).__mro__):
        return model
    # likewise
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415

    if not isinstance(model, OpenAIChatModel) or model.provider is None:
        return model
    return type(model)(model.model_name, provider=model.provider, profile=CHAT)


def _advice(error: Exception) -> str:
    """Return what to do: of what is missing, our own setting as well as the provider's variable."""
    line = _line(error)
    missing = re.match(r"Set the `(\w+_(API_KEY|BASE_URL))` environment variable", line)
    if missing is None:
        return line
    return f"set ORCHESTRATOR_MODEL_{missing[2]}, or {missing[1]}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def keys_of(name: str, model: Model[Any], config: ModelConfig) -> list[str | None]:
    """Return every key that may be sent to the provider, for nobody to see."""
    configured = config.api_key.get_secret_value() if config.api_key else None
    provider = name.partition(":")[0].replace("-", "_").upper()
    sent = getattr(getattr(model, "client", None), "api_key", None)
    return [configured, sent if isinstance(sent, str) else None, os.getenv(f"{provider}_API_KEY")]
