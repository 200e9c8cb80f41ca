"""No proof that the sandbox holds, no service."""

import os

import pytest

from execution_environment.sandbox.self_test import SandboxUnavailable, prove


def test_the_self_test_refuses_what_does_not_hold(tmp_path, monkeypatch):
    """No proof, no service."""
    prove(tmp_path)
    naive = "execution_environment.sandbox.self_test.openat2"
    monkeypatch.setattr(naive, lambda root, path, flags: os.open(path, flags, dir_fd=root))
    with pytest.raises(SandboxUnavailable, match=r"Linux 5\.6"):
        prove(tmp_path)
