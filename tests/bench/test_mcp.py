"""The bench of MCP: what is printed is what it took, and the ways are measured in turn."""

import io

from rich.console import Console

from bench import mcp


async def test_ways_are_measured_in_turn_and_the_first_round_is_not_counted(monkeypatch):
    """A machine that slows down slows all of them."""
    monkeypatch.setattr(mcp, "ROUNDS", 2)
    monkeypatch.setattr(mcp, "EACH", 3)
    asked = []

    def way(name):
        async def read():
            asked.append(f"{name} read")

        async def write():
            asked.append(f"{name} write")

        return read, write

    taken = await mcp._measured({"a": way("a"), "b": way("b")})
    warm = ["a write", "a read", "b write", "b read"]
    assert asked[:4] == warm
    assert asked[4:] == [request for request in warm for _ in range(3)] * 2
    assert [len(one) for both in taken.values() for one in both] == [6] * 4


def test_table_has_medians_and_ratios_to_the_first_way():
    """And says where a peer's server is missing."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(mcp.table({"first": ([1.0, 3.0, 2.0], [4.0]), "other": ([5.0], [6.0])}))
    text = console.export_text()
    assert "2.00" in text
    assert "2.50" in text
    assert "1.50" in text
    assert "is not installed here" in text
    console.print(mcp.table({"first": ([1.0], [1.0]), f"{mcp.PEER}, over stdio": ([1.0], [1.0])}))
    assert "is not installed here" not in console.export_text()
