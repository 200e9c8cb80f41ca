"""An audit trail beside its ledger."""

import pytest

from tests.execution_environment.audit.trails import write_trail


@pytest.fixture
def state(tmp_path):
    """Where the trail lies beside the ledger."""
    state = tmp_path / "data" / "state"
    state.mkdir(parents=True)
    return state


@pytest.fixture
def trail_dir(state):
    """A trail of two processes beside the ledger."""
    return write_trail(state)
