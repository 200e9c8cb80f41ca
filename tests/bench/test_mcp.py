"""The bench of MCP: each way is beside the first of its kind."""

from bench import mcp


async def test_reads_and_writes_are_each_measured_beside_the_first_way(monkeypatch):
    """And a file is written before it is read."""
    monkeypatch.setattr(mcp, "EACH", 1)
    asked = []

    def way(name):
        async def read():
            asked.append(f"read {name}")

        async def write():
            asked.append(f"write {name}")

        return read, write

    report = await mcp._report({"a": way("a"), "b": way("b")}, 1, "a note")
    assert asked[:2] == ["write a", "write b"]
    assert [(line.figure.name, line.floor and line.floor.name) for line in report.lines] == [
        ("read, a", None),
        ("read, b", "read, a"),
        ("write, a", None),
        ("write, b", "write, a"),
    ]
