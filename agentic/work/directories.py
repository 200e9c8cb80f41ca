"""What brings a directory to its workspace and back: `push`, `pull`, `status` and `diff`."""

from collections.abc import Callable
from typing import Any, Literal

from agentic.api.client import AgenticClient
from agentic.directory import diffing, pull, push, status
from agentic.directory.pulling import finishing
from agentic.directory.pulling.planning import Choice, Step
from agentic.directory.push import Pushed
from agentic.terminal.output import Output
from agentic.terminal.show import Display
from agentic.work.ending import ExitCode, new_display
from agentic.work.here import Here, counted, listed, progress_bar

Decision = Literal["take", "undo", "leave"]
Decide = Callable[[], Decision]
"""Tells what is to become of changes; it may ask a person."""


async def push_directory(here: Here, *, force: bool, reset: bool, is_json: bool) -> int:
    """Send what was changed here."""
    async with here.target.client() as client, here.opened() as (root, state):
        session_id = await here.session(client, state)
        with progress_bar() as report:
            pushed = await push.push(
                client, session_id, root, state, force=force, reset=reset, report=report
            )
        if is_json:
            Output().json({"workspace": state.known.workspace, **_pushed_as_json(pushed)})
        else:
            print_pushed(new_display(), pushed, str(state.known.workspace))
    return ExitCode.SUCCEEDED


def print_pushed(display: Display, pushed: Pushed, workspace: str) -> None:
    """Tell what a push has done."""
    for line in listed(pushed.skipped, "left out (no file)"):
        display.line(line, "dim")
    if not (pushed.sent or pushed.deleted):
        display.line(f"workspace {workspace} has all that is here")
        return
    gone = f", {len(pushed.deleted)} deleted" if pushed.deleted else ""
    display.line(
        f"pushed to workspace {workspace}: {counted(len(pushed.sent), 'file')}"
        f" ({pushed.sent_size} bytes of contents){gone}"
    )


async def pull_directory(here: Here, *, choice: Choice | None, is_json: bool) -> int:
    """Take what the workspace changed."""
    async with here.target.client() as client, here.opened() as (root, state):
        session_id = await here.session(client, state, is_made=False)
        pulled = await pull.pull(client, session_id, root, state, choice=choice)
    if is_json:
        Output().json(_pulled_as_json(pulled))
    else:
        print_pulled(new_display(), pulled)
    return ExitCode.SUCCEEDED


def print_pulled(display: Display, pulled: pull.Pulled) -> None:
    """Tell what a pull has done."""
    if pulled.recovered:
        recovered = counted(len(pulled.recovered), "file")
        display.line(f"finished an interrupted pull: {recovered}", "yellow")
    for step in pulled.steps:
        display.line(f"{change_of(step):<8} {step.path}")
    told = (
        (pulled.kept, "kept as it is here", ""),
        (pulled.marked, "merged, with places to decide on", "yellow"),
        (pulled.skipped, "left out", "dim"),
    )
    for line, style in (
        (line, style) for paths, what, style in told for line in listed(paths, what)
    ):
        display.line(line, style)
    if not (pulled.steps or pulled.recovered):
        display.line("nothing to take: the workspace has changed nothing that is not here")


async def give_up_pull(here: Here, *, is_json: bool) -> int:
    """End an earlier pull that cannot be finished."""
    async with here.opened() as (root, state):
        ended = await finishing.give_up(root, state)
    if is_json:
        told = {"done": ended.done, "left": ended.left}
        Output().json({name: list(map(_step_as_json, steps)) for name, steps in told.items()})
        return ExitCode.SUCCEEDED
    display = new_display()
    if not (ended.done or ended.left):
        display.line("no pull is to be finished here")
        return ExitCode.SUCCEEDED
    display.line(f"gave up an interrupted pull: {counted(len(ended.done), 'file')} done")
    for line in listed([step.path for step in ended.left], "left to the next pull"):
        display.line(line, "yellow")
    return ExitCode.SUCCEEDED


async def show_status(here: Here, *, is_json: bool) -> int:
    """Tell where both differ."""
    async with here.target.client() as client, here.opened() as (root, state):
        # who only looks moves the directory to no workspace that is not there, by a slip in its name
        is_known = here.workspace in (None, state.known.workspace)
        session_id = await here.session(client, state, is_made=is_known)
        found = await status.status(client, session_id, root, state)
        workspace = str(state.known.workspace)
    if is_json:
        Output().json({"workspace": workspace, **found.model_dump(mode="json")})
        return ExitCode.SUCCEEDED
    display = new_display()
    display.line(f"workspace {workspace}{'' if found.has_workspace else ' (not made yet)'}")
    for change in found.to_push:
        display.line(f"  push  {change.kind:<8} {change.path}")
    for change in found.to_pull:
        display.line(f"  pull  {change.kind:<8} {change.path}")
    for conflict in found.conflicts:
        display.line(f"  both changed   {conflict.path}", "bold yellow")
    for line in listed(found.skipped, "left out (no file)"):
        display.line(line, "dim")
    display.line(f"{counted(found.same, 'file')} alike")
    return ExitCode.SUCCEEDED


async def show_diff(here: Here, *, is_json: bool) -> int:
    """Show what a pull would bring."""
    async with here.target.client() as client, here.opened() as (root, state):
        session_id = await here.session(client, state, is_made=False)
        found = await diffing.diff(client, session_id, root, state)
    if is_json:
        Output().json(_diff_as_json(found))
    else:
        print_diff(new_display(), found)
    return ExitCode.SUCCEEDED


def print_diff(display: Display, found: diffing.Diff) -> None:
    """Show what a workspace has changed."""
    for text in found.text():
        display.diff(text)


async def offer(client: AgenticClient, here: Here, display: Display, decide: Decide) -> Decision:
    """Show what the workspace changed, and do with it what is decided; what was decided."""
    async with here.opened() as (root, state):
        session_id = await here.session(client, state)
        found = await diffing.diff(client, session_id, root, state)
        print_diff(display, found)
        if not found.files:
            display.line("no file has changed")
            return "take"
        decision, workspace = decide(), state.known.workspace
        if decision == "take":
            pulled = await pull.pull(client, session_id, root, state, seen=found.theirs)
            print_pulled(display, pulled)
        elif decision == "undo":
            await push.push(client, session_id, root, state, reset=True)
            display.line(f"undone: workspace {workspace} has what is here again")
        else:
            display.line(f"left in workspace {workspace}: agentic pull takes it")
        return decision


def change_of(step: Step) -> str:
    """Return what a pull has done to a file."""
    if step.becomes is None:
        return "deleted"
    if step.was is None:
        return "new"
    return "changed" if step.needs_content else "mode"


def _step_as_json(step: Step) -> dict[str, Any]:
    size = None if step.becomes is None else step.becomes.size
    return {"path": step.path, "change": change_of(step), "size": size}


def _pushed_as_json(pushed: Pushed) -> dict[str, Any]:
    names = ("sent", "deleted", "sent_size", "skipped", "notes", "result")
    return {name: getattr(pushed, name) for name in names}


def _pulled_as_json(pulled: pull.Pulled) -> dict[str, Any]:
    return {
        "steps": [_step_as_json(step) for step in pulled.steps],
        "recovered": [_step_as_json(step) for step in pulled.recovered],
        "kept": pulled.kept,
        "marked": pulled.marked,
        "skipped": pulled.skipped,
    }


def _diff_as_json(found: diffing.Diff) -> dict[str, Any]:
    files = [
        {"path": one.path, "change": one.change, "hunks": one.hunks, "reason": one.reason}
        for one in found.files
    ]
    return {"files": files, "skipped": found.skipped}
