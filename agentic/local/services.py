"""Whether the services can run here: the client alone is installed without what they need."""

import re
from importlib.metadata import PackageNotFoundError, requires, version

from agentic.api.transport import refusal

PROJECT = "agentic-framework"
EXTRA = "services"
_NEEDED = re.compile(rf"""([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]{EXTRA}['"].*""", re.DOTALL)


def require_services() -> None:
    """Raise `invalid_request` where packages are missing that a stack of one's own needs."""
    missing = [name for name in _needed() if not _is_installed(name)]
    if missing:
        raise refusal(
            f"A stack of your own needs the services, which are not installed"
            f" ({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''} missing)",
            hint=f"pip install '{PROJECT}[{EXTRA}]', or name a server with --url.",
        )


def _needed() -> list[str]:
    """Return the packages that the extra brings, as this installation's own record names them."""
    found = [_NEEDED.fullmatch(line) for line in requires(PROJECT) or []]
    return [match[1] for match in found if match is not None]


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
