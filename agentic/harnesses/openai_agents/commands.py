"""Commands: there is no shell, so only those that the SDK itself sends are answered, by tool calls."""

from collections.abc import Sequence
from pathlib import Path

from agents.sandbox import ExecResult, ExecTransportError
from agents.sandbox.files import EntryKind

from agentic.harnesses.openai_agents.files import SandboxFiles

AS_MADE = "0755"
"""The mode that a manifest's entries have unless they say another: nobody has asked for it."""
_TESTS = {
    "-d": (EntryKind.DIRECTORY,),
    "-x": (EntryKind.DIRECTORY,),  # asked for where an agent is to work
    "-f": (EntryKind.FILE,),
}
NO_SHELL = (
    "There is no shell in this sandbox, and nothing in it can be executed. Use the tools for files; "
    "agents are given these by `capabilities=default_capabilities()`."
)


async def answer(files: SandboxFiles, command: Sequence[str]) -> ExecResult:
    """Return what a command of the SDK would; raise ExecTransportError for any other."""
    match list(command):
        case ["test", flag, path] if flag in _TESTS:
            return _ended(is_good=await files.kind(Path(path)) in _TESTS[flag])
        case ["chmod", mode, _] if mode == AS_MADE:
            return _ended(is_good=True)
        case _:
            message = f"'{' '.join(command)}' cannot be run. {NO_SHELL}"
            raise ExecTransportError(command=command, message=message, retryable=False)


def _ended(*, is_good: bool) -> ExecResult:
    return ExecResult(stdout=b"", stderr=b"", exit_code=0 if is_good else 1)
