"""A directory, a workspace in memory, and what the client remembers of both."""

import pytest

from agentic.directory.pull import pull
from agentic.directory.push import push
from agentic.directory.root import Root
from agentic.directory.state import VARIABLE, opened_state
from agentic.directory.status import status
from tests.agentic.directory.fakes import SESSION, FakeClient


class Person:
    """Somebody at a directory of theirs: each method is a command, run by itself."""

    def __init__(self, directory, client):
        self.directory, self.client = directory, client
        self.remote = client.archives

    def write(self, path, content=b"text", mode=0o644):
        place = self.directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)
        return place

    async def push(self, **more):
        with Root(self.directory) as root:
            async with opened_state(root, "http://server", "key") as state:
                return await push(self.client, SESSION, root, state, **more)

    async def pull(self):
        with Root(self.directory) as root:
            async with opened_state(root, "http://server", "key") as state:
                return await pull(self.client, SESSION, root, state)

    async def status(self):
        with Root(self.directory) as root:
            async with opened_state(root, "http://server", "key") as state:
                return await status(self.client, SESSION, root, state)

    async def state(self):
        """Return what is remembered, as the next command finds it."""
        with Root(self.directory) as root:
            async with opened_state(root, "http://server", "key") as state:
                return state

    def files(self):
        """Return what the workspace has, contents by path."""
        return {path: content for path, (content, _) in self.remote.files.items()}


@pytest.fixture
def state_directory(tmp_path, monkeypatch):
    """Keep the client's state away from this machine's."""
    place = tmp_path / "state"
    monkeypatch.setenv(VARIABLE, str(place))
    return place


@pytest.fixture
def directory(tmp_path):
    """A directory that is in no repository."""
    place = tmp_path / "here"
    place.mkdir()
    return place


@pytest.fixture
def person(directory, state_directory):
    """Somebody whose workspace does not exist yet."""
    client = FakeClient()
    client.archives.exists = False
    return Person(directory, client)
