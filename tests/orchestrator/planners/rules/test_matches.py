"""Commands about the files that match a glob."""

import pytest

from common.errors import ToolError
from orchestrator.planners.decisions import Finish
from tests.orchestrator.planners.rules.deciding import decide, done


async def test_find_follows_the_pages():
    """And shows the files of all of them."""
    entries = [{"path": f"src/{n}.py", "type": "file"} for n in "ab"]
    first = done("c1_find_files_1", {"entries": entries[:1], "next_cursor": "src/a.py"})
    [call] = (await decide("find *.py in src", first)).calls
    assert (call.name, call.arguments["cursor"]) == ("c1_find_files_2", "src/a.py")
    last = done("c1_find_files_2", {"entries": entries[1:], "next_cursor": None})
    end = await decide("find *.py in src", first, last)
    assert end == Finish("Found 2 files that match '*.py'\n  src/a.py\n  src/b.py")


async def test_delete_of_more_files_than_it_takes_is_refused():
    """Half a deletion helps nobody."""
    page = {"entries": [{"path": "a.tmp", "type": "file"}], "next_cursor": "a.tmp"}
    with pytest.raises(ToolError) as caught:
        await decide("delete every *.tmp", done("c1_find_files_1", page))
    assert caught.value.code == "output_too_large"
