"""Every error code there is: its HTTP status, family, title, whether to retry, and what to do next."""

from typing import Literal, NamedTuple

Family = Literal["tool", "client", "system"]
Outcome = Literal["not_executed", "executed", "unknown"]


class ErrorSpec(NamedTuple):
    """One row. `hint` tells the caller what to do next; `retryable` is None when unknowable."""

    status: int
    family: Family
    title: str
    retryable: bool | None
    hint: str
    outcome: Outcome = "not_executed"


_TOOL = {
    "invalid_arguments": (
        422,
        "Invalid arguments",
        "Check them against the tool's arguments_schema.",
    ),
    "path_not_allowed": (
        403,
        "Path not allowed",
        "Use a path relative to the workspace, without '..' and links.",
    ),
    "permission_denied": (
        403,
        "Permission denied",
        "The file's mode or a read_only context forbids this.",
    ),
    "path_not_found": (404, "No such path", "List the parent directory to see what is there."),
    "already_exists": (
        409,
        "Path already exists",
        "Choose another path, or allow it to be replaced.",
    ),
    "not_a_file": (409, "Not a file", "Give the path of a regular file."),
    "not_a_directory": (409, "Not a directory", "Give the path of a directory."),
    "directory_not_empty": (
        409,
        "Directory not empty",
        "Empty it first, or ask for a recursive delete.",
    ),
    "hash_mismatch": (
        409,
        "File has changed",
        "Read it again and base the change on context.current_sha256.",
    ),
    "file_too_large": (413, "File too large", "Read a window of it, or split the change."),
    "output_too_large": (
        413,
        "Output too large",
        "Ask for less: a window, a smaller limit, a narrower path.",
    ),
    "unsupported_file": (
        422,
        "Unsupported kind of file",
        "Only regular files and directories can be used.",
    ),
    "binary_file": (422, "Not a text file", "Read it with encoding 'base64'."),
    "text_not_found": (422, "Text not found", "Read the file and copy old_text from it exactly."),
    "text_not_unique": (
        422,
        "Text not unique",
        "Include more surrounding lines, or set expected_count or replace_all.",
    ),
    "invalid_pattern": (
        422,
        "Invalid pattern",
        "Patterns follow RE2; set literal to search for plain text.",
    ),
    "patch_failed": (422, "Patch does not apply", "Read the files again and make the patch anew."),
    "quota_exceeded": (507, "Workspace quota exceeded", "Delete what is no longer needed."),
    "no_space": (507, "No space left", "Free space on the execution environment's data directory."),
    "invalid_reference": (
        422,
        "Reference cannot be resolved",
        "Point into an earlier step's name, output or receipts.",
    ),
    "tool_not_found": (404, "No such tool", "GET /v1/tools lists the tools there are."),
    "rejected": (
        403,
        "Rejected by a person",
        "Do not try it again in the same way: mind the reason, or do something else.",
    ),
    "denied_by_rule": (
        403,
        "Denied by a rule",
        "Do not try it in another way: leave this path or tool alone. GET /v1/rules and the session name the rules.",
    ),
    "approval_required": (
        403,
        "A person has to approve it",
        "Ask with a client that can show its user a form, allow it by a rule (PUT /v1/rules), or start a run.",
    ),
    "changed_since_preview": (
        409,
        "Changed since the preview",
        "Preview the change again, and ask anew.",
    ),
}
_CLIENT = {
    "malformed_request": (400, "Malformed request", "Send one JSON document in UTF-8, without duplicate keys or NaN."),
    "unauthenticated": (401, "Not authenticated", "Send 'Authorization: Bearer …' with a valid secret."),
    "forbidden": (403, "Forbidden", "This deployment does not accept such requests; see the README on access."),
    "route_not_found": (404, "No such route", "GET /openapi.json lists the routes."),
    "session_not_found": (404, "No such session", "It may have expired: create a session."),
    "workspace_not_found": (404, "No such workspace", "The first change makes it; GET /v1/workspaces lists those there are."),
    "run_not_found": (404, "No such run", "List the session's runs to see what is there."),
    "method_not_allowed": (405, "Method not allowed", "The Allow header names the methods of this route."),
    "session_busy": (409, "Session is busy", "Wait for the active run, cancel it, or set on_busy to 'enqueue'."),
    "workspace_in_use": (409, "Workspace is in use", "Delete the sessions that context.sessions names first."),
    "changed_elsewhere": (409, "Files have changed elsewhere", "Pull, and look at what context.conflicts names; or push with force."),
    "content_missing": (409, "Contents are missing", "Send the contents that context.missing names along, under the same key."),
    "invalid_state": (409, "Not possible in this state", "Read the resource again to see its state."),
    "idempotency_conflict": (409, "Key used for another request", "Use a fresh key for a different request."),
    "call_expired": (409, "Call expired", "Check the files: what became of this call is no longer known."),
    "fenced": (409, "A newer owner has taken over", "Stop: another worker runs this session now."),
    "precondition_failed": (412, "Precondition failed", "Read the resource again and send its current ETag."),
    "request_too_large": (413, "Request too large", "Send less, or stream the file."),
    "unsupported_media_type": (415, "Unsupported media type", "Send Content-Type: application/json."),
    "range_not_satisfiable": (416, "Range not satisfiable", "Ask for a range within the file's size."),
    "invalid_request": (422, "Invalid request", "context.fields names what to correct."),
    "goal_not_understood": (422, "Goal not understood", "Use one of the forms in docs/rules.md, or send a plan."),
    "invalid_archive": (422, "Invalid archive", "Send a tar stream that begins with its manifest; see docs/archives.md."),
    "invalid_plan": (422, "Invalid plan", "context.fields names what to correct."),
    "budget_exceeded": (422, "Budget used up", "Raise the run's budget, or ask for less."),
    "rate_limited": (429, "Too many requests", "Slow down and try again."),
    "queue_full": (429, "Queue is full", "Wait for earlier runs to finish and try again."),
}  # fmt: skip
_RETRYABLE_CLIENT = frozenset({"session_busy", "rate_limited", "queue_full"})


def _family(family: Family, rows: dict[str, tuple[int, str, str]]) -> dict[str, ErrorSpec]:
    return {
        code: ErrorSpec(status, family, title, code in _RETRYABLE_CLIENT, hint)
        for code, (status, title, hint) in rows.items()
    }


ERRORS: dict[str, ErrorSpec] = {
    **_family("tool", _TOOL),
    **_family("client", _CLIENT),
    "internal": ErrorSpec(
        500, "system", "Internal error", False,
        "Report it with the request id: the service's log has the details under it.", "unknown",
    ),
    "upstream_failed": ErrorSpec(
        502, "system", "The service behind this one failed", None,
        "Check what was changed before trying again.", "unknown",
    ),
    "unavailable": ErrorSpec(
        503, "system", "Service unavailable", True, "Try again in a moment.",
    ),
    "store_full": ErrorSpec(
        503, "system", "Session store full", True,
        "Try again later: nothing new is taken while the store is at its memory limit.",
    ),
    "model_refused": ErrorSpec(
        502, "system", "The model's provider refused", False,
        "See the detail: the account, the provider's rules, or what was asked.",
    ),
    "model_unauthenticated": ErrorSpec(
        502, "system", "The model's provider does not accept the key", False,
        "Set ORCHESTRATOR_MODEL_API_KEY, or the provider's own variable, to a valid key.",
    ),
    "model_not_found": ErrorSpec(
        502, "system", "The provider has no such model", False,
        "Correct ORCHESTRATOR_MODEL or the run's model; GET /v1/planners lists those of this deployment.",
    ),
    "stuck": ErrorSpec(
        500, "system", "The model got stuck", False,
        "Say more precisely what to do, or take a stronger model; its steps show what it repeated.",
        "executed",
    ),
    "state_lost": ErrorSpec(
        500, "system", "The run's state was lost", False,
        "Check the files: the store lost what it had confirmed, in a failover for instance.",
        "unknown",
    ),
    "overloaded": ErrorSpec(
        503, "system", "Service overloaded", True, "Try again after a pause.",
    ),
    "deadline_exceeded": ErrorSpec(
        504, "system", "Deadline exceeded", None,
        "Give more time, or ask for less; check what was changed first.", "unknown",
    ),
}  # fmt: skip
