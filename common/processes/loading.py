"""Loads what a service is made of, and no more of it than it needs."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

UNUSED = ("rich",)
"""What libraries import where it is installed, and never use in a service: structlog colours with it."""


@contextmanager
def loading() -> Iterator[None]:
    """Import in here: nothing is looked through for garbage, neither now nor later.

    Modules stay, and Python would look through all of them again and again.
    """
    modules: dict[str, Any] = sys.modules
    absent = [name for name in UNUSED if name not in modules]
    modules.update(dict.fromkeys(absent))  # None: to Python, a module that is not there
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in absent:
            del modules[name]
