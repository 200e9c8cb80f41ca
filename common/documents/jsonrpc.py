"""What is one message of JSON-RPC, before the library of a protocol that is made of them has it."""

from typing import Any, TypeGuard

from common.errors import ClientError


def require_message(said: Any, name: str = "The body") -> None:
    """Raise `invalid_request` for what is no request, notification or response, or for several of them.

    `name` says in the error what it is.
    The library would take a request whose id is none for a notification, and never answer it; of what
    else is wrong it tells what it has read, in its own words.
    """
    is_message = (
        isinstance(said, dict)
        and said.get("jsonrpc") == "2.0"
        and (_is_call(said) if "method" in said else _is_response(said))
    )
    if not is_message:
        raise ClientError(
            "invalid_request",
            f"{name} is no message of JSON-RPC",
            hint="Send one request, with an 'id' that is a string or an integer, a 'method' and 'params'.",
        )


def is_id(value: Any) -> TypeGuard[str | int]:
    """Tell whether this may be a request's id."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_call(said: dict[str, Any]) -> bool:
    params, is_response = said.get("params"), "result" in said or "error" in said
    has_id = "id" not in said or is_id(said["id"])
    is_well_formed = isinstance(said["method"], str) and (
        params is None or isinstance(params, dict)
    )
    return has_id and is_well_formed and not is_response


def _is_response(said: dict[str, Any]) -> bool:
    error, is_to_request = said.get("error"), is_id(said.get("id"))
    if not isinstance(error, dict):
        return is_to_request and isinstance(said.get("result"), dict)
    is_to_any = is_to_request or said.get("id", "") is None  # null: to what could not be read
    return (
        is_to_any and isinstance(error.get("code"), int) and isinstance(error.get("message"), str)
    )
