"""What starts runs and talks to them: `run`, `chat`, `answer`; and `tools`."""

import shlex
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from agentic.api.client import AgenticClient
from agentic.directory.push import push
from agentic.terminal.chat import Around, Chat
from agentic.terminal.output import Output
from agentic.terminal.prompt import Prompt, remembered
from agentic.terminal.running import Order, run_and_show
from agentic.terminal.show import Display
from agentic.terminal.wording import WAITING
from agentic.work import directories, inputs
from agentic.work.directories import Decision
from agentic.work.ending import ExitCode, code_of, new_display
from agentic.work.finding import find_run
from agentic.work.here import Here, progress_bar
from agentic.work.persons import person_at
from agentic.work.target import Target
from common.runs import Run
from common.sessions import Session


async def run(target: Target, order: Order, workspace: str | None) -> int:
    """Run an order in a session of its own and show it, also when nobody reads that any more."""
    display, (ask, decide) = new_display(goes_on=True), person_at(Prompt())
    async with target.client() as client:
        ended = await run_and_show(
            client, display, order, workspace=workspace, ask=ask, decide=decide
        )
    return code_of(ended)


QUESTION = "Take these changes? [y]es, [n]o: undo them, [l]ater: "
_DECISIONS: dict[str, Decision] = {
    **dict.fromkeys(("y", "yes"), "take"),
    **dict.fromkeys(("n", "no"), "undo"),
    **dict.fromkeys(("l", "later", ""), "leave"),
}


@dataclass(frozen=True)
class Taking:
    """What becomes of the files that runs change: taken unasked, left, or as a person says."""

    is_sure: bool = False
    is_left: bool = False

    def decide(self, prompt: Prompt) -> Decision:
        """Return what a person says; off a terminal nobody is asked, and what is there stays."""
        if self.is_sure:
            return "take"
        if self.is_left or not prompt.is_terminal:
            return "leave"
        while (answer := prompt.read(QUESTION)) is not None:
            if answer.strip().lower() in _DECISIONS:
                return _DECISIONS[answer.strip().lower()]
        return "leave"


class DirectoryRuns:
    """Runs on a directory: before each it is pushed, after it the changes are offered."""

    def __init__(self, client: AgenticClient, display: Display, here: Here, taking: Taking) -> None:
        self._client = client
        self._display = display
        self._here = here
        self._taking = taking
        self._prompt = Prompt()

    async def begin(self) -> Session:
        """Open a session on the directory's workspace."""
        async with self._here.opened() as (_, state):
            return await self._here.new_session(self._client, state)

    async def before(self) -> None:
        """Push what was changed here."""
        async with self._here.opened() as (root, state):
            session_id = await self._here.session(self._client, state)
            with progress_bar() as report:
                pushed = await push(self._client, session_id, root, state, report=report)
            directories.print_pushed(self._display, pushed, str(state.known.workspace))

    async def after(self, run: Run) -> bool:
        """Offer what was changed there; False where it waits for somebody who decides.

        What a run that waits has changed so far is half of its work: it is not offered.
        """
        if run.status in WAITING:
            pull = f"agentic pull {shlex.quote(str(self._here.directory))}"
            self._display.line(f"answer it, then: {pull}")
            return False
        decide = partial(self._taking.decide, self._prompt)
        decision = await directories.offer(self._client, self._here, self._display, decide)
        return decision != "leave" or self._taking.is_left


async def run_in_directory(target: Target, order: Order, here: Here, taking: Taking) -> int:
    """Push a directory, run an order on it, and offer what that has changed."""
    display, (ask, decide) = new_display(goes_on=True, has_diffs=False), person_at(Prompt())
    async with target.client() as client:
        runs = DirectoryRuns(client, display, here, taking)
        session = await runs.begin()
        await runs.before()
        ended = await run_and_show(
            client, display, order, session_id=session.id, ask=ask, decide=decide
        )
        is_done = await runs.after(ended)
    code = code_of(ended)
    return ExitCode.AWAITING_PERSON if code == ExitCode.SUCCEEDED and not is_done else code


async def chat_in_directory(target: Target, here: Here, taking: Taking, terms: Order) -> int:
    """Run line after line on a directory, likewise."""
    display = new_display(goes_on=True, has_diffs=False)
    async with target.client() as client:
        runs = DirectoryRuns(client, display, here, taking)
        return await _talk(client, display, await runs.begin(), terms, runs)


async def chat(target: Target, workspace: str | None, session_id: str | None, terms: Order) -> int:
    """Run line after line in one session, on the same terms."""
    display = new_display(goes_on=True)
    async with target.client() as client:
        if session_id is None:
            session = await client.create_session(workspace)
        else:
            session = await client.session(session_id)
        return await _talk(client, display, session, terms)


async def _talk(
    client: AgenticClient,
    display: Display,
    session: Session,
    terms: Order,
    around: Around | None = None,
) -> int:
    prompt = Prompt()
    if prompt.is_terminal:
        display.line(f"workspace {session.workspace}; /help says what there is", "dim")
    with ExitStack() as kept:
        if prompt.is_terminal:
            _remember(kept, display)
        waiting = await Chat(client, display, prompt, session, terms, around).talk()
    return ExitCode.SUCCEEDED if waiting is None else code_of(waiting)


def _remember(kept: ExitStack, display: Display) -> None:
    path = inputs.history_file()
    try:
        kept.enter_context(remembered(path))
    except OSError as error:  # a home that cannot be written to is no reason not to talk
        display.line(f"no history: {path} cannot be used ({error.strerror})", "yellow")


async def answer(target: Target, name: str, text: str, *, is_json: bool) -> int:
    """Send a run what a person has to say."""
    async with target.client() as client:
        run = await find_run(client, name)
        told = await client.send(run.session_id, run.id, text)
    if is_json:
        Output().json(told)
    else:
        new_display().line(f"{told.status}: {told.id}")
    return ExitCode.SUCCEEDED


async def tools(target: Target, *, is_json: bool) -> int:
    """List the tools."""
    async with target.client() as client:
        known = await client.tools()
    if is_json:
        Output().json(known)
        return ExitCode.SUCCEEDED
    display = new_display()
    for tool in known:
        display.line(f"{tool.name} ({tool.effect}): {tool.description}")
    return ExitCode.SUCCEEDED
