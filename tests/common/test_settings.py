"""Settings: strict, and clear about what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_settings import SettingsConfigDict

from common.settings import Directory, Seconds, ServiceSettings


class Sample(ServiceSettings):
    """A service's settings."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_")
    token: str
    pause: Seconds = timedelta(seconds=1)
    place: Directory | None = None


@pytest.fixture
def env(monkeypatch):
    """Set variables for one test."""
    return lambda **values: [monkeypatch.setenv(k, v) for k, v in values.items()]


def test_settings_are_read_from_the_environment(env):
    """Durations are seconds, an empty variable counts as unset."""
    env(SAMPLE_TOKEN="t", SAMPLE_PAUSE="2.5", SAMPLE_PORT="")
    settings = Sample.load()
    assert (settings.pause, settings.port) == (timedelta(seconds=2.5), 8000)


@pytest.mark.parametrize("given", ["data", "./x/../data", "link/data"])
def test_a_directory_in_settings_is_absolute_whatever_was_given(env, tmp_path, monkeypatch, given):
    """Relative to where the service starts; the sandbox took one for a broken kernel."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(".")
    env(SAMPLE_TOKEN="t", SAMPLE_PLACE=given)
    assert Sample.load().place == tmp_path / "data"


def test_a_directory_in_settings_that_is_a_loop_of_links_is_no_traceback(env, tmp_path):
    """The service that tries to use it says what is wrong."""
    (tmp_path / "loop").symlink_to("loop")
    env(SAMPLE_TOKEN="t", SAMPLE_PLACE=str(tmp_path / "loop"))
    assert Sample.load().place == Path(tmp_path / "loop")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "SAMPLE_TOKEN: Field required"),
        ({"SAMPLE_TOKEN": "t", "SAMPLE_PORTT": "1"}, "did you mean SAMPLE_PORT?"),
        ({"SAMPLE_TOKEN": "t", "SAMPLE_QQQQ": "1"}, "SAMPLE_QQQQ: there is no such setting"),
        ({"SAMPLE_TOKEN": "t", "SAMPLE_PORT": "99999"}, "SAMPLE_PORT: "),
        ({"SAMPLE_TOKEN": "t", "SAMPLE_PAUSE": "0"}, "SAMPLE_PAUSE: "),
        ({"SAMPLE_TOKEN": "t", "SAMPLE_PAUSE": "soon"}, "SAMPLE_PAUSE: "),
    ],
)
def test_wrong_settings_refuse_the_start(env, capsys, values, told):
    """One line that names the variable, exit code 2, no traceback and no secret."""
    env(**values)
    with pytest.raises(SystemExit) as ended:
        Sample.load()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
