"""Pages, searches and globs, where the suite for sandboxes does not look closely."""

import pytest

from agentic.harnesses.deepagents.looking import Looking
from common.errors import error
from tests.agentic.harnesses.fakes import Calls


def a_page(**more):
    """Two lines of four."""
    facts = {"content": "a\r\nb\n", "start_line": 1, "end_line": 2, "total_lines": 4}
    return {**facts, **more}


def a_match(path, line, text="x"):
    """One occurrence."""
    return {"path": path, "line": line, "column": 1, "text": text, "before": [], "after": []}


def found(*matches, truncated=False):
    """What a search gives."""
    return {"matches": list(matches), "total": len(matches), "truncated": truncated}


def looking(*answers):
    """The reading half over calls that are answered so, and the calls."""
    calls = Calls(*answers)
    return Looking(calls, None), calls


async def test_a_page_says_where_the_next_one_begins():
    """Lines end in line feeds, and the last one in none, as their sandboxes have it."""
    half, calls = looking(a_page())
    page = await half.read("/a", -1, 2)
    assert page.file_data == {"content": "a\nb", "encoding": "utf-8"}
    assert (page.start_line, page.end_line, page.total_lines, page.next_offset) == (1, 2, 4, 2)
    assert calls.made == [("read_file", {"path": "a", "start_line": 1, "max_lines": 2})]


async def test_the_last_page_has_no_next_one():
    """An agent would read on for ever."""
    half, _ = looking(a_page(start_line=3, end_line=4))
    assert (await half.read("/a", 2, 2)).next_offset is None


async def test_an_empty_file_is_no_error():
    """Whatever page of it is read."""
    half, _ = looking(a_page(content="", end_line=0, total_lines=0))
    page = await half.read("/a", 0, 2)
    assert (page.error, page.file_data["content"], page.start_line) == (None, "", None)


async def test_a_page_beyond_the_end_is_an_error_that_tells_the_length():
    """It is not an empty file."""
    half, _ = looking(a_page(content="", start_line=10, end_line=9))
    assert "4 lines" in (await half.read("/a", 9, 2)).error


async def test_no_lines_are_no_page():
    """Their middleware tells it from a file that is empty."""
    half, _ = looking(a_page())
    page = await half.read("/a", 0, 0)
    assert (page.no_lines_requested, page.file_data["content"]) == (True, "")


async def test_lines_too_long_to_be_kept_come_fewer_at_a_time():
    """A page that is shorter than asked says so; a single line is refused."""
    too_large = error("output_too_large", "too large", hint="Ask for less")
    half, calls = looking(too_large, too_large, a_page(end_line=1))
    assert (await half.read("/a", 0, 4)).next_offset == 1
    assert [arguments["max_lines"] for _, arguments in calls.made] == [4, 2, 1]
    half, calls = looking(too_large)
    assert "Ask for less" in (await half.read("/a", 0, 1)).error
    assert len(calls.made) == 1


@pytest.mark.parametrize(
    ("glob", "path", "sent", "expected"),
    [
        (None, None, None, ["/s/a.ts", "/s/.b/c.ts", "/s/t/[c].ts"]),
        ("", None, None, ["/s/a.ts", "/s/.b/c.ts", "/s/t/[c].ts"]),
        ("*.ts", "/s", "*.ts", ["/s/a.ts", "/s/.b/c.ts", "/s/t/[c].ts"]),
        ("**/*.ts", "/s", "**/*.ts", ["/s/a.ts", "/s/t/[c].ts"]),
        ("*.{ts,js}", "/s", None, ["/s/a.ts", "/s/.b/c.ts", "/s/t/[c].ts"]),
        ("/*.ts", "/s", None, ["/s/a.ts"]),
        ("{t,u}/*", "/s/", None, ["/s/t/[c].ts"]),
        (r"t/\[c\].ts", "/s", None, ["/s/t/[c].ts"]),
        ("[]", "/s", None, []),
        ("**//*.ts", "/s", None, ["/s/a.ts", "/s/t/[c].ts"]),
    ],
)
async def test_a_glob_chooses_the_files_that_theirs_would(glob, path, sent, expected):
    """The tool narrows where it reads one alike: to it braces and a leading slash are characters."""
    matches = (a_match(name, 1) for name in ("s/a.ts", "s/.b/c.ts", "s/t/[c].ts"))
    half, calls = looking(found(*matches))
    result = await half.grep("x", path, glob, None)
    assert [match["path"] for match in result.matches] == expected
    assert calls.made[0][1].get("glob") == sent
    assert calls.made[0][1]["literal"] is True


async def test_a_line_is_found_once_however_often_the_text_is_in_it():
    """Lines are what they count."""
    half, _ = looking(found(a_match("a", 1), a_match("a", 1), a_match("a", 2), a_match("b", 1)))
    result = await half.grep("x", None, None, None)
    assert [(one["path"], one["line"]) for one in result.matches] == [
        ("/a", 1),
        ("/a", 2),
        ("/b", 1),
    ]
    assert not result.truncated


@pytest.mark.parametrize(
    ("most", "truncated", "count", "told"),
    [
        (1, False, 1, True),
        (2, False, 2, False),
        (None, True, 2, True),
        (0, False, 0, True),
        (-1, False, 0, True),
    ],
)
async def test_what_is_left_out_of_a_search_is_told(most, truncated, count, told):
    """By them, or by the tool."""
    half, _ = looking(found(a_match("a", 1), a_match("a", 2), truncated=truncated))
    result = await half.grep("x", None, None, most)
    assert (len(result.matches), result.truncated) == (count, told)


async def test_no_text_is_in_every_line():
    """As their other backends have it; the tool wants to be told what to look for."""
    half, calls = looking(found(a_match("a", 1), a_match("a", 2)))
    assert len((await half.grep("", None, None, None)).matches) == 2
    [(_, arguments)] = calls.made
    assert arguments["pattern"] == "^"
    assert not arguments.get("literal")


@pytest.mark.parametrize("glob", ["../*", "a/../b"])
async def test_a_glob_that_leads_out_is_refused(glob):
    """As all of their backends do."""
    half, _ = looking(found())
    assert "traversal" in (await half.glob(glob, None)).error
    for one in (glob, f"/{glob}"):
        assert "traversal" in (await half.grep("x", None, one, None)).error


async def test_a_glob_means_what_it_means_to_their_other_backends():
    """Braces, a leading slash, and names that begin with a dot."""
    names = ("a.py", "a.js", ".b.py", "s/a.py", ".g/a.py")
    entries = [
        {"path": name, "type": "file", "size": 1, "modified_at": "2026-01-01T00:00:00Z"}
        for name in names
    ]
    page = {"entries": entries, "next_cursor": None}
    for pattern, expected in (
        ("*.py", ["/a.py", "/s/a.py", "/.g/a.py"]),
        ("/*.{py,js}", ["/a.py", "/a.js"]),
        ("**/*.py", ["/a.py", "/s/a.py"]),
    ):
        half, _ = looking(page)
        assert [one["path"] for one in (await half.glob(pattern, None)).matches] == expected
