"""The frameworks themselves are extras: each is asked for by name where it is missing."""

from importlib import import_module


def require(module: str, extra: str) -> None:
    """Raise ImportError, which names the extra, unless a framework's module can be imported."""
    try:
        import_module(module)
    except ImportError as error:
        raise ImportError(
            f"'{module}' cannot be imported: pip install 'agentic-framework[{extra}]'"
        ) from error
