"""What a directory's state is called: by server, user and directory."""

import hashlib
from collections.abc import Iterable
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def normal_url(server: str) -> str:
    """Return the one way to write a server's URL: `HTTP://Host:80/` is `http://host`."""
    url = urlsplit(server)
    scheme, host = url.scheme.lower(), (url.hostname or "").lower()
    port = "" if url.port in (None, _PORTS.get(scheme)) else f":{url.port}"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}{port}{url.path.rstrip('/')}"


def as_text(path: str) -> str:
    """Return a path as JSON can hold it: a name's bytes that are no UTF-8 stand as escapes."""
    return path.encode(errors="backslashreplace").decode()


def name_of(server: str, api_key: str | None, identity: Iterable[int | str]) -> str:
    """Return the name of a directory's state: of the API key only its digest goes in."""
    user = hashlib.sha256((api_key or "").encode()).hexdigest()
    facts = (server, user, *map(str, identity))
    return hashlib.sha256("\0".join(facts).encode(errors="surrogateescape")).hexdigest()[:32]
