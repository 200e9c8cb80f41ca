"""Where the store is: the URLs that are taken, and how they are named without their secrets."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

Kind = Literal["redis", "sentinel", "cluster"]
_KINDS: dict[str, Kind] = {
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
_PORTS: dict[Kind, int] = {"redis": 6379, "sentinel": 26379, "cluster": 6379}
_OPTIONS = {
    "db", "username", "password", "sentinel_username", "sentinel_password", "ssl_ca_certs",
    "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname",
}  # fmt: skip


@dataclass(frozen=True)
class Address:
    """One or several servers, of which each has a URL that redis-py reads."""

    kind: Kind
    urls: tuple[str, ...]
    shown: str
    """The whole as it may be logged: without user, password and options."""
    service: str = ""
    """What Sentinel calls the master."""


def read_address(url: str) -> Address:
    """Read a URL; raise ValueError, whose message holds no secret, for one that is none of ours.

    `redis[s]://[user:password@]host[:port][/db]`, `unix:///path`,
    `redis[s]+sentinel://[user:password@]host[:port],…/service[/db]` (the credentials are the
    master's, `sentinel_username` and `sentinel_password` those of Sentinel), and
    `redis[s]+cluster://[user:password@]host[:port],…`.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _KINDS:
        raise ValueError(
            f"it has to begin with one of {', '.join(f'{name}://' for name in _KINDS)}"
        )
    parts = urlsplit(url)
    _check_options(parts)
    if scheme == "unix":
        if not parts.path:
            raise ValueError("it names no socket")
        return Address("redis", (url,), f"unix://{parts.path}")
    return _read_hosts(_KINDS[scheme], parts)


def _check_options(parts: SplitResult) -> None:
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(f"there is no option '{name[:32]}'")


def _read_hosts(kind: Kind, parts: SplitResult) -> Address:
    user, at, hosts = parts.netloc.rpartition("@")
    service, database = _read_path(kind, parts.path)
    named = [_read_host(host, _PORTS[kind]) for host in hosts.split(",")]
    if kind == "redis" and len(named) > 1:
        raise ValueError("several hosts are for +sentinel:// and +cluster://")
    plain = parts.scheme.partition("+")[0]
    query = f"?{parts.query}" if parts.query else ""
    urls = tuple(f"{plain}://{user}{at}{host}/{database}{query}" for host in named)
    return Address(kind, urls, f"{parts.scheme}://{','.join(named)}{parts.path}", service)


def _read_host(host: str, default_port: int) -> str:
    try:
        parts = urlsplit(f"redis://{host}")
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("a port has to be a number from 1 to 65535") from error
    if not name:
        raise ValueError("it names no host")
    return f"{f'[{name}]' if ':' in name else name}:{port or default_port}"


def _read_path(kind: Kind, path: str) -> tuple[str, str]:
    """Return Sentinel's name of the master, and the number of the database."""
    service, _, database = path.strip("/").partition("/") if kind == "sentinel" else ("", "", path)
    database = database.strip("/") or "0"
    if kind == "sentinel" and not service:
        raise ValueError("it names no service: redis+sentinel://host:port,…/service")
    if not database.isdecimal():
        raise ValueError("the database has to be a number")
    if kind == "cluster" and database != "0":
        raise ValueError("a cluster has one database, 0")
    return service, database
