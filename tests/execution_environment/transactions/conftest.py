"""A workspace with something for every kind of change."""

import pytest


@pytest.fixture
def filled(demo):
    """A workspace with something for every change."""
    (demo / "file").write_text("old\n")
    (demo / "other").write_text("other\n")
    (demo / "tree/deep").mkdir(parents=True)
    (demo / "tree/deep/leaf").write_text("leaf\n")
    return demo
