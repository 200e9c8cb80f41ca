"""The orchestrator's settings: what a deployment must say, and what is refused."""

import hashlib
from contextlib import nullcontext
from datetime import timedelta

import pytest
from pydantic import ValidationError

from orchestrator.planners.llm.config import LoopLimits, ModelConfig
from orchestrator.settings import Settings

ANN, BOB = (hashlib.sha256(key).digest() for key in (b"ann-key", b"bob-key"))
NEEDED = {
    "data_dir": "data",
    "execution_url": "http://127.0.0.1:1",
    "service_token": "t",
}


def test_settings_for_other_hosts_need_keys_or_an_explicit_word():
    """Nobody opens files to the network by accident."""
    with pytest.raises(ValidationError, match="ORCHESTRATOR_API_KEYS"):
        Settings(host="0.0.0.0", **NEEDED)  # noqa: S104
    assert Settings(host="0.0.0.0", allow_anonymous=True, **NEEDED).allow_anonymous  # noqa: S104
    keys = f"{ANN.hex()}:ann, {BOB.hex()}:bob"
    assert Settings(host="::", api_keys=keys, **NEEDED).api_keys == {ANN: "ann", BOB: "bob"}


@pytest.mark.parametrize("keys", ["ann-key:ann", f"{ANN.hex()}", f"{ANN.hex()}:Ann!"])
def test_settings_take_api_keys_as_digests_with_a_user(keys):
    """A plain key in the environment would be a secret lying about."""
    with pytest.raises(ValidationError):
        Settings(api_keys=keys, **NEEDED)


@pytest.mark.parametrize("user", ["bob", "ann"])
def test_settings_refuse_two_users_for_one_api_key(user, monkeypatch, capsys):
    """With two entries for one digest the last would win in silence: refused at the start."""
    monkeypatch.setenv("ORCHESTRATOR_API_KEYS", f"{ANN.hex()}:ann,{ANN.hex()}:{user}")
    for name, value in NEEDED.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", value)
    with pytest.raises(SystemExit):
        Settings.load()
    told = capsys.readouterr().err
    assert told.startswith("ORCHESTRATOR_API_KEYS: ")
    assert "the same digest" in told


def test_settings_without_a_store_are_refused():
    """Either a Redis or a directory for the embedded one."""
    with pytest.raises(ValidationError, match="ORCHESTRATOR_REDIS_URL"):
        Settings(**{**NEEDED, "data_dir": None})


@pytest.mark.parametrize(("seconds", "is_taken"), [("59", False), ("60", True)])
def test_settings_keep_a_session_for_a_minute_at_least(seconds, is_taken, monkeypatch):
    """What keeps waiting runs looks once a minute."""
    monkeypatch.setenv("ORCHESTRATOR_SESSION_TTL", seconds)
    with nullcontext() if is_taken else pytest.raises(ValidationError, match="at least 60"):
        Settings(**NEEDED)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis:6379", "it has to begin with one of redis://, rediss://, unix://"),
        ("http://:s3cret@redis:6379", "it has to begin with one of redis://"),
        ("redis://:s3cret@redis:port", "a port has to be a number"),
        ("redis://:s3cret@one,two", "several hosts are for +sentinel:// and +cluster://"),
        ("redis+sentinel://:s3cret@one", "it names no service"),
        ("redis+cluster://:s3cret@one/1", "a cluster has one database"),
        ("redis://:s3cret@redis/name", "the database has to be a number"),
        ("redis://:s3cret@redis?timeout=1", "there is no option 'timeout'"),
        ("redis://:s3cret@", "it names no host"),
        ("unix://", "it names no socket"),
    ],
)
def test_settings_refuse_a_redis_url_that_names_no_store(url, told, monkeypatch, capsys):
    """One was healthy for nine minutes without a scheme; the line does not say the password."""
    monkeypatch.setenv("ORCHESTRATOR_REDIS_URL", url)
    for name, value in NEEDED.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", value)
    with pytest.raises(SystemExit):
        Settings.load()
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ORCHESTRATOR_REDIS_URL: ")
    assert told in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    ("chosen", "limits"),
    [
        ({}, (0, 0, 0)),
        ({"api_keys": f"{ANN.hex()}:ann"}, (100, 600, 200)),
        ({"api_keys": f"{ANN.hex()}:ann", "run_rate": 0, "max_streams": 5}, (100, 0, 5)),
        ({"request_rate": 7}, (7, 0, 0)),
    ],
)
def test_settings_limit_users_where_there_are_several(chosen, limits):
    """One machine's own user is in nobody's way; what is said explicitly counts everywhere."""
    assert Settings(**chosen, **NEEDED).user_limits == limits


def test_settings_without_a_model_configure_none(monkeypatch):
    """As compose passes it on where nobody has chosen one: empty is unset."""
    for name in ("MODEL", "MODELS", "MODEL_BASE_URL", "MODEL_API_KEY"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", "")
    assert Settings(**NEEDED).llm is None


def test_settings_pass_on_all_that_is_chosen_about_models(monkeypatch):
    """What is read and then forgotten would be chosen in vain."""
    chosen = {
        "MODEL": "openai:qwen2.5-coder:1.5b",
        "MODELS": "anthropic:a, openai/eu:b",
        "MODEL_BASE_URL": "http://127.0.0.1:11434/v1",
        "MODEL_API_KEY": "s3cret",
        "MODEL_TEMPERATURE": "0.5",
        "MODEL_MAX_OUTPUT": "64",
        "MODEL_CONTEXT": "2048",
        "MODEL_TIMEOUT": "1",
        "MODEL_FIRST_TOKEN": "2",
        "MODEL_ATTEMPTS": "3",
        "STUCK_SAME": "5",
        "STUCK_ERRORS": "6",
        "STUCK_ALTERNATING": "7",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    settings = Settings(**NEEDED)
    assert settings.llm == ModelConfig(
        model="openai:qwen2.5-coder:1.5b",
        others=("anthropic:a", "openai/eu:b"),
        base_url="http://127.0.0.1:11434/v1",
        api_key=settings.model_api_key,
        temperature=0.5,
        max_output=64,
        context=2048,
        timeout=timedelta(seconds=1),
        first_token=timedelta(seconds=2),
        attempts=3,
        loops=LoopLimits(same=5, errors=6, alternating=7),
    )
    assert settings.llm.api_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings) + repr(settings.llm)


@pytest.mark.parametrize("model", ["gpt-5", "openai:", "OpenAI:x", "openai:a b", "openai:a,b"])
def test_settings_refuse_a_model_without_a_provider(model):
    """Whom to ask is no guess."""
    with pytest.raises(ValidationError):
        Settings(model=model, **NEEDED)


def test_settings_refuse_other_models_without_one_of_their_own():
    """Which one would be the deployment's would be a guess."""
    with pytest.raises(ValidationError, match="give ORCHESTRATOR_MODEL, too"):
        Settings(models="openai:a", **NEEDED)


def test_settings_ask_nobody_and_wait_for_ever_unless_they_are_told(monkeypatch):
    """A deployment may ask by default, and give a person so long."""
    assert (Settings(**NEEDED).approval, Settings(**NEEDED).approval_timeout) == ("never", None)
    monkeypatch.setenv("ORCHESTRATOR_APPROVAL", "writes")
    monkeypatch.setenv("ORCHESTRATOR_APPROVAL_TIMEOUT", "90")
    settings = Settings(**NEEDED)
    assert (settings.approval, settings.approval_timeout) == ("writes", timedelta(seconds=90))


@pytest.mark.parametrize(("name", "value"), [("APPROVAL", "maybe"), ("APPROVAL_TIMEOUT", "0")])
def test_settings_refuse_what_is_no_policy_and_no_time_to_answer_in(name, value, monkeypatch):
    """A policy with a slip in it would ask nobody; without any time every run that asks would fail."""
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings(**NEEDED)
