"""The bench of directories: what it measures is what it says, and what is printed is what it took."""

import httpx
from rich.console import Console

from bench.files.counting import Counting
from bench.files.directories import Row, table
from bench.files.trees import make_tree


def test_the_tree_has_so_many_files_of_so_many_bytes_and_no_two_alike(tmp_path):
    """Contents that repeat would be sent once, and flatter."""
    paths = make_tree(tmp_path, files=250, size=10_000_000)
    contents = {path.read_bytes() for path in paths}
    assert (len(paths), len(contents)) == (250, 250)
    assert 9_000_000 < sum(map(len, contents)) < 11_000_000


async def _pieces():
    yield b"123"
    yield b"45"


async def test_bodies_are_counted_both_ways():
    """As they pass, whatever their headers say."""

    class Answering(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            assert [piece async for piece in request.stream] == [b"123"]
            return httpx.Response(200, content=_pieces())

    counting = Counting(Answering())
    async with httpx.AsyncClient(transport=counting, base_url="http://server") as http:
        await http.post("/", content=b"123")
    assert (counting.sent, counting.received) == (3, 5)


def test_ratios_are_to_the_floor_of_the_same_run():
    """Which is the first row."""
    console = Console(width=100, record=True, quiet=True)
    console.quiet = False
    with console.capture() as printed:
        console.print(table([Row("floor", 2.0), Row("push", 5.0, 3_000_000, 0)]))
    [line] = [line for line in printed.get().splitlines() if "push" in line]
    assert line.split("\u2502")[1:-1] == [
        " push  ",
        "    5.00 ",
        "    3.00 ",
        "        0.00 ",
        "  2.50 ",
    ]
