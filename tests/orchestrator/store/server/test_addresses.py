"""Addresses: what a URL of the store says, and what may be shown of it."""

import pytest

from orchestrator.store.server.addresses import read_address


@pytest.mark.parametrize(
    ("url", "kind", "urls", "shown", "service"),
    [
        ("redis://ann:pw@h/2", "redis", ("redis://ann:pw@h:6379/2",), "redis://h:6379/2", ""),
        ("rediss://[::1]:7", "redis", ("rediss://[::1]:7/0",), "rediss://[::1]:7", ""),
        ("unix:///s?db=1", "redis", ("unix:///s?db=1",), "unix:///s", ""),
        (
            "redis+sentinel://:pw@a,b:7/main/1?sentinel_password=x",
            "sentinel",
            (
                "redis://:pw@a:26379/1?sentinel_password=x",
                "redis://:pw@b:7/1?sentinel_password=x",
            ),
            "redis+sentinel://a:26379,b:7/main/1",
            "main",
        ),
        (
            "rediss+cluster://pw@a:1,b",
            "cluster",
            ("rediss://pw@a:1/0", "rediss://pw@b:6379/0"),
            "rediss+cluster://a:1,b:6379",
            "",
        ),
    ],
)
def test_address_is_read_from_its_url_and_shown_without_secrets(url, kind, urls, shown, service):
    """What is shown goes to logs and to clients."""
    address = read_address(url)
    assert (address.kind, address.urls) == (kind, urls)
    assert (address.shown, address.service) == (shown, service)
