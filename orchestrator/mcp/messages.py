"""What a body has to be before the protocol's library has it: one message of JSON-RPC."""

from typing import Any

from common.errors import ClientError


def require_message(body: Any) -> None:
    """Raise `invalid_request` for what is no request, notification or response, or for several of them.

    The library would take a request whose id is none for a notification, and never answer it; of what
    else is wrong it tells what it has read, in its own words.
    """
    is_message = (
        isinstance(body, dict)
        and body.get("jsonrpc") == "2.0"
        and ("id" not in body or _is_id(body["id"]))
        and (_is_call(body) if "method" in body else _is_response(body))
    )
    if not is_message:
        raise ClientError(
            "invalid_request",
            "The body is no message of JSON-RPC",
            hint="Send one request, with an 'id' that is a string or an integer, a 'method' and 'params'.",
        )


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_call(body: dict[str, Any]) -> bool:
    params = body.get("params")
    return isinstance(body["method"], str) and (params is None or isinstance(params, dict))


def _is_response(body: dict[str, Any]) -> bool:
    error = body.get("error")
    if isinstance(error, dict):
        return isinstance(error.get("code"), int) and isinstance(error.get("message"), str)
    return "id" in body and isinstance(body.get("result"), dict)
