"""Asks a person about each call of a turn that waits, and sends what they say of all of them."""

from collections.abc import Awaitable, Callable, Sequence

from pydantic import JsonValue

from agentic.api.client import AgenticClient
from agentic.terminal.answers import Said, send_answers
from agentic.terminal.drafts import Drafts, Edit
from agentic.terminal.editing import EditorError, edited
from agentic.terminal.plans import in_short, show_call, show_calls
from agentic.terminal.prompt import Reader
from agentic.terminal.remembering import Rulebook, in_words
from agentic.terminal.show import Display
from common.approvals.reviews import EditedCall, PlannedCall, TurnPlan
from common.errors import AgenticError, ClientError, SystemFault

QUESTION = "Do it? [y]es, [n]o, [e]dit, [a]ll like this, [q]uit (later)"
TO_ALL = ", [Y]es to all"
_WORDS = {"yes": "y", "no": "n", "edit": "e", "all": "a", "quit": "q", "later": "q"}
_MOVED_ON = ("precondition_failed", "invalid_state")
_TO_CORRECT = (400, 413, 422)
"""Statuses of what is wrong with edited arguments themselves."""


class _Later(Exception):
    """The person leaves the turn for later."""


class Asker:
    """Gets the turns of runs decided by the person at the terminal."""

    def __init__(self, reader: Reader, edit: Edit = edited) -> None:
        self._reader = reader
        self._edit = edit

    async def decide(self, client: AgenticClient, display: Display, plan: TurnPlan) -> bool:
        """Ask about a turn that waits; False where the person leaves it for later.

        Raises Interrupted at Ctrl-C.
        """
        return await _Dialog(client, display, self._reader, self._edit, plan).hold()


class _Dialog:
    """About one turn: nothing is sent before each of its calls has its answer."""

    def __init__(
        self,
        client: AgenticClient,
        display: Display,
        reader: Reader,
        edit: Edit,
        plan: TurnPlan,
    ) -> None:
        self._client = client
        self._display = display
        self._reader = reader
        self._plan = plan
        self._said: dict[int, Said] = {}
        self._drafts = Drafts(edit)
        self._rulebook = Rulebook(client)
        self._answers: dict[str, Callable[[PlannedCall], Awaitable[None]]] = {
            "y": self._approve,
            "Y": self._approve_all,
            "n": self._reject,
            "e": self._change,
            "a": self._approve_alike,
        }

    async def hold(self) -> bool:
        """Ask until the turn does not wait any more; False where it is left waiting."""
        try:
            return await self._is_decided()
        except _Later:
            edits = ", edits stay" if any(call.is_edited for call in self._plan.calls) else ""
            self._display.line(f"left for later: nothing was answered{edits}", "yellow")
            return False
        finally:
            self._drafts.keep(self._display)

    async def _is_decided(self) -> bool:
        show_calls(self._display, self._asking)
        while self._plan.is_waiting:
            call = next((call for call in self._asking if call.n not in self._said), None)
            if call is not None:
                await self._ask(call)
            elif await self._is_sent():
                return bool(self._said)
        return True

    @property
    def _asking(self) -> Sequence[PlannedCall]:
        return [call for call in self._plan.calls if call.state == "asks"]

    async def _ask(self, call: PlannedCall) -> None:
        """Take the answer to one call."""
        is_one = len(self._asking) == 1
        if not is_one:
            self._display.line(in_short(call), "bold")
        label = f"{QUESTION}{'' if is_one else TO_ALL}: "
        key = ""
        while key not in self._answers:
            word = self._line(label)
            key = word if word == "Y" else _WORDS.get(word.lower(), word.lower())
            if key == "q":
                raise _Later
        await self._answers[key](call)

    def _line(self, label: str) -> str:
        """Return what is typed; who ends the input means to answer later."""
        line = self._reader.read(label)
        if line is None:
            raise _Later
        return line.strip()

    async def _approve(self, call: PlannedCall) -> None:
        self._said[call.n] = Said("approve")

    async def _approve_all(self, _call: PlannedCall) -> None:
        for call in self._asking:
            self._said.setdefault(call.n, Said("approve"))

    async def _reject(self, call: PlannedCall) -> None:
        self._said[call.n] = Said("reject", self._line("Why not? (may be empty) ") or None)

    async def _approve_alike(self, call: PlannedCall) -> None:
        """Approve a call, and what is like it: of this turn now, and in this session from now on."""
        remember = await self._rulebook.rule_for(call)
        if remember is None:
            self._display.line("it is in no one place: this call alone is approved", "yellow")
            return await self._approve(call)
        self._display.line(
            f"without asking from now on, in this session: {in_words(remember, call)}", "yellow"
        )
        self._said[call.n] = Said("approve", remember=remember)
        for other in self._asking:
            if other.n not in self._said and await self._rulebook.rule_for(other) == remember:
                self._display.line(f"step {other.n} is like this", "yellow")
                self._said[other.n] = Said("approve", remember=remember)
        return None

    async def _is_sent(self) -> bool:
        try:
            await send_answers(self._client, self._plan, self._said)
        except ClientError as error:
            await self._look_again(error)
            return False
        self._drafts.forget()
        return True

    async def _look_again(self, error: AgenticError) -> None:
        """Show the turn as it is now, where somebody else was faster; raise any other error."""
        if error.code not in _MOVED_ON:
            raise error
        self._display.error(error)
        self._plan = await self._client.plan(self._plan.session_id, self._plan.run_id)
        self._said.clear()
        if self._plan.is_waiting:
            self._display.line("The plan as it is now:", "bold")
            show_calls(self._display, self._plan.calls)

    async def _change(self, call: PlannedCall) -> None:
        """Have the person edit a call's arguments until they are taken, or given up."""
        while not await self._is_changed(call):
            if self._line("Edit again? [y]es, [n]o: ").lower() not in ("y", "yes"):
                return

    async def _is_changed(self, call: PlannedCall) -> bool:
        """Send what the person makes of a call's arguments; False where that is to be corrected."""
        try:
            await self._replace(call, self._drafts.edited(call))
        except EditorError as error:
            self._display.line(str(error), "bold red")
            return False
        except AgenticError as error:
            if isinstance(error, SystemFault) or error.spec.status in _TO_CORRECT:
                self._display.error(error)
                return False
            await self._look_again(error)  # the draft is kept for the call as it is now
            return True
        self._drafts.drop(call)
        return True

    async def _replace(self, call: PlannedCall, arguments: dict[str, JsonValue]) -> None:
        if arguments == call.arguments:
            self._display.line("nothing was changed")
            return
        ids, revision = (self._plan.session_id, self._plan.run_id), self._plan.plan_revision
        edit = EditedCall(n=call.n, arguments=arguments)
        self._take(await self._client.replace_plan(*ids, [edit], revision))

    def _take(self, plan: TurnPlan) -> None:
        """Go on with an edited plan: what has changed in it is shown, and asked again."""
        before = {call.n: call for call in self._plan.calls}
        self._plan = plan
        for call in plan.calls:
            if call != before.get(call.n):
                self._said.pop(call.n, None)
                show_call(self._display, call)
