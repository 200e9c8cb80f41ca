"""A person who answers the runs of a session: a step, or all of it, edited, twice, or too late."""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from tests.system.chaos import asked
from tests.system.chaos.clients import Client

LATE = {"decision": "reject", "reason": "This comes too late."}
"""What is said of a plan that is another one by now."""
WHY = "Not this one."
MAY_REFUSE = (404, 409, 412)
Shown = dict[str, Any]


class Person:
    """Answers one session's runs, and notes what must not be."""

    def __init__(
        self, client: Client, session: int, workspace: Path, seed: int, *, is_exact: bool
    ) -> None:
        self._client = client
        self._session = session
        self._workspace = workspace
        self._is_exact = is_exact
        self._chance = random.Random(f"{seed} {session} person")  # noqa: S311  # to be repeated
        self.said: Counter[str] = Counter()
        """Answers by what came of them."""
        self.wrong: list[str] = []
        """What was done before it was answered, and answers to other plans that were taken."""

    async def look(self, path: str, run: int) -> None:
        """Look at a run; answer what it asks, or some of it."""
        answer = await self._client.ask("GET", f"{path}/plan")
        shown = answer.json()
        if not answer.is_success or not shown["is_waiting"]:
            return
        self.said["asked"] += 1
        self._look_for_reads(run, shown)
        if self._is_exact:  # a store that forgets what it has told asks for what is done
            self._look_at_the_disk(run, shown)
            await self._come_too_late(path, shown)
        if (shown := await self._edited(path, run, shown)) is not None:
            await self._decide(path, run, shown)

    def _look_for_reads(self, run: int, shown: Shown) -> None:
        """Whatever its worker knew of the tools: a read asks nobody."""
        self.wrong += [
            f"step {n} of run {run} asks and is no change"
            for n in asking(shown)
            if n <= asked.READS
        ]

    def _look_at_the_disk(self, run: int, shown: Shown) -> None:
        """Nothing that asks has happened."""
        self.wrong += [
            f"step {n} of run {run} was done before it was answered"
            for n in asking(shown)
            if asked.has_happened(self._workspace, self._session, run, n - 1)
        ]

    async def _come_too_late(self, path: str, shown: Shown) -> None:
        """Answer to the plan before this one, now and then: nobody has approved, or refused, this one."""
        if self._chance.random() < 0.3:
            told = await self._say(path, shown["plan_revision"] - 1, LATE)
            if told.is_success:
                self.wrong.append(f"{path}: an answer to another plan was taken")

    async def _edited(self, path: str, run: int, shown: Shown) -> Shown | None:
        """Return the plan with the arguments that it is to have; nothing where it is another by now."""
        wanted = [
            {"n": call["n"], "arguments": asked.edited(self._session, run, call["n"] - 1)}
            for call in shown["calls"]
            if call["state"] == "asks" and not call["is_edited"]
            if asked.decision(self._session, run, call["n"] - 1) == "edit"
        ]
        if not wanted:
            return shown
        request = {"json": {"calls": wanted}, "headers": _of(shown["plan_revision"])}
        answer = await self._client.ask("PUT", f"{path}/plan", **request)
        self._note(answer, "edited")
        return answer.json() if answer.is_success else None

    async def _decide(self, path: str, run: int, shown: Shown) -> None:
        """Say of what asks what is to be said, in one answer; what is left is asked again."""
        rejected = [n for n in asking(shown) if self._rejects(run, n)]
        others = [n for n in asking(shown) if not self._rejects(run, n)]
        chosen = self._chance.choice([steps for steps in (rejected, others) if steps])
        is_whole = len(chosen) == len(asking(shown))
        if len(chosen) > 1 and self._chance.random() < 0.3:
            chosen, is_whole = self._chance.sample(chosen, 1), False
        no = {"decision": "reject", "reason": WHY}
        body: dict[str, Any] = (
            dict(no) if self._rejects(run, chosen[0]) else {"decision": "approve"}
        )
        if not is_whole:
            body["steps"] = chosen
        times = 2 if self._chance.random() < 0.3 else 1
        revision = shown["plan_revision"]
        await asyncio.gather(*(self._say(path, revision, body) for _ in range(times)))

    def _rejects(self, run: int, n: int) -> bool:
        return asked.decision(self._session, run, n - 1) == "reject"

    async def _say(self, path: str, revision: int, body: Shown):
        answer = await self._client.ask(
            "POST", f"{path}/approval", json=body, headers=_of(revision)
        )
        self._note(answer, body["decision"])
        return answer

    def _note(self, answer: httpx.Response, kind: str) -> None:
        status = answer.status_code
        assert answer.is_success or status in MAY_REFUSE, f"{kind} was answered: {answer.text}"
        self.said[kind if answer.is_success else f"refused with {status}"] += 1


def asking(shown: Shown) -> list[int]:
    """Return the numbers of the calls that ask."""
    return [call["n"] for call in shown["calls"] if call["state"] == "asks"]


def _of(revision: int) -> dict[str, str]:
    return {"If-Match": f'"{revision}"'}
