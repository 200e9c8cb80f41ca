"""The SDK is an extra: who lacks it is told its name."""

import sys
from importlib import import_module

import pytest


def test_import_without_the_sdk_names_the_extra(monkeypatch):
    """What is missing is not the module that the caller has written down."""
    monkeypatch.setitem(sys.modules, "agents.sandbox", None)
    monkeypatch.delitem(sys.modules, "agentic.harnesses.openai_agents", raising=False)
    with pytest.raises(ImportError, match=r"agentic-framework\[openai-agents\]"):
        import_module("agentic.harnesses.openai_agents")
