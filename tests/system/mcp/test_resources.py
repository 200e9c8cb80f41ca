"""The workspace's files as resources, by the official client of either era."""

import secrets

import pytest
from mcp.shared.exceptions import MCPError

from tests.system.mcp.clients import connected


@pytest.fixture
def workspace():
    """A workspace that no other test has."""
    return f"w-{secrets.token_hex(4)}"


def files_of(shared, workspace):
    """Return where a workspace's files lie."""
    return shared.demo.parent / workspace


async def write(client, *paths, content="x"):
    """Write files."""
    for path in paths:
        made = await client.call_tool("write_file", {"path": path, "content": content})
        assert not made.is_error, made


async def test_files_are_listed_named_and_read(shared, era, workspace):
    """A name with a blank and one in another script are percent-encoded, once."""
    async with connected(shared.main, workspace, era) as client:
        await write(client, "a b/ä.txt", "plain.md", content="text\n")
        (files_of(shared, workspace) / "raw.bin").write_bytes(b"\xff\0\xfe")
        found = {one.name: one for one in (await client.list_resources()).resources}
        assert found.keys() == {"a b/ä.txt", "plain.md", "raw.bin"}
        assert found["a b/ä.txt"].uri == "file:///a%20b/%C3%A4.txt"
        assert found["plain.md"].size == 5
        for one in found.values():
            [content] = (await client.read_resource(one.uri)).contents
            assert content.uri == one.uri
        [text] = (await client.read_resource(found["a b/ä.txt"].uri)).contents
        assert text.text == "text\n"
        [template] = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "file:///{+path}"


async def test_list_comes_in_pages_that_have_every_file_once(shared, era, workspace):
    """However many there are."""
    directory = files_of(shared, workspace)
    async with connected(shared.main, workspace, era) as client:
        assert (await client.list_resources()).resources == []
        await write(client, "000")
        for number in range(1, 450):
            (directory / f"{number:03}").write_text("")
        names, cursor, pages = [], None, 0
        while pages == 0 or cursor is not None:
            page = await client.list_resources(cursor=cursor)
            names += [one.name for one in page.resources]
            cursor, pages = page.next_cursor, pages + 1
        assert names == [f"{number:03}" for number in range(450)]
        assert pages == 3


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("file:///no/such", "path_not_found"),
        ("file:///..%2F..%2Fetc%2Fpasswd", "invalid_arguments"),
        ("file:///%2e%2e/%2e%2e/etc/passwd", "path_not_allowed"),
        ("file:////etc/passwd", "path_not_allowed"),
        ("file:///d", "not_a_file"),
        ("file:///large", "file_too_large"),
        ("https://example.com/", "invalid_arguments"),
    ],
)
async def test_what_is_no_file_here_is_an_error_with_the_problem(shared, era, workspace, uri, code):
    """The protocol's error, with all that is known of it."""
    async with connected(shared.main, workspace, era) as client:
        await write(client, "d/f")
        (files_of(shared, workspace) / "large").write_bytes(b"x" * (1024 * 1024 + 1))
        with pytest.raises(MCPError) as failure:
            await client.read_resource(uri)
        assert failure.value.data["code"] == code
        assert failure.value.data["hint"]
        assert failure.value.data["uri"] == uri
        is_missing = code == "path_not_found"
        assert failure.value.code == (-32002 if is_missing and era == "legacy" else -32602)
