"""What is imported while a service starts: nothing looks for garbage, and what is not used stays away."""

import gc
import sys
from importlib import import_module

import pytest

from common.processes.loading import UNUSED, loading


@pytest.fixture(autouse=True)
def thawed():
    """The tests' own modules are looked through as before."""
    yield
    gc.unfreeze()


def test_loading_looks_for_no_garbage_and_never_again_through_what_is_there():
    """It took a tenth of the start, and the event loop 80 ms each time."""
    with loading():
        assert not gc.isenabled()
        before = gc.get_freeze_count()
    assert gc.isenabled()
    assert gc.get_freeze_count() > before


def test_loading_hides_what_libraries_would_import_and_never_use(monkeypatch):
    """It is there again for whoever needs it, also where an import has failed."""
    for name in UNUSED:
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ImportError), loading():
        import_module(UNUSED[0])
    assert gc.isenabled()
    assert import_module(UNUSED[0]).__name__ == UNUSED[0]


def test_loading_leaves_a_module_alone_that_is_there_already(monkeypatch):
    """Somebody uses it."""
    mine = object()
    monkeypatch.setitem(sys.modules, UNUSED[0], mine)
    with loading():
        assert sys.modules[UNUSED[0]] is mine
    assert sys.modules[UNUSED[0]] is mine
