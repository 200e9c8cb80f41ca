"""A workspace on the disk, and what looks at it."""

import os
from contextlib import closing

import pytest

from execution_environment.archives.hash_cache import HashCache
from execution_environment.archives.surveying import Survey
from execution_environment.sandbox.descriptors import DIRECTORY
from execution_environment.workspace.root import WorkspaceRoot
from tests.execution_environment.conftest import call_limits


@pytest.fixture
def root(demo, data_dir):
    """The workspace `local/demo`, from the one root descriptor."""
    descriptor = os.open(data_dir / "workspaces", DIRECTORY)
    yield WorkspaceRoot(descriptor, (b"local", b"demo"))
    os.close(descriptor)


@pytest.fixture
def hashes(data_dir):
    """A cache that keeps hashes at once: the tests' files are young."""
    with closing(HashCache(data_dir / "hashes.db", margin=0)) as hashes:
        yield hashes


@pytest.fixture
def survey(root, hashes):
    """Return a survey; keywords are limits of the call."""
    return lambda **limits: Survey(root, call_limits(**limits), hashes)
