"""Listings, page by page."""

from agentic.harnesses.listing import PAGE, entries_of
from tests.agentic.harnesses.fakes import Calls


async def test_all_pages_are_asked_for_each_after_the_one_before():
    """What is left out would not be there for an agent."""
    calls = Calls(
        {"entries": [{"path": "a"}], "next_cursor": "a"},
        {"entries": [{"path": "b"}], "next_cursor": None},
    )
    found = [entry["path"] async for entry in entries_of(calls, "list_directory", path="x")]
    assert found == ["a", "b"]
    assert calls.made == [
        ("list_directory", {"path": "x", "limit": PAGE, "cursor": None}),
        ("list_directory", {"path": "x", "limit": PAGE, "cursor": "a"}),
    ]
