"""One session of the load: its runs are asked for one after the other, followed, and seen to end."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.system.chaos.asked import asks
from tests.system.chaos.clients import FINAL, Client, Follower
from tests.system.chaos.deployment import key_of
from tests.system.chaos.load import Place, planned
from tests.system.chaos.person import Person

LOOK = 0.5
Asking = Callable[[Place, int], dict[str, Any]]


class SessionLoad:
    """A client with a session, and the run that each of its requests came to."""

    def __init__(
        self,
        place: Place,
        urls: Sequence[str],
        workspaces: Path,
        seed: int,
        runs: Iterable[int],
        *,
        repeats: bool = True,
        asking: Asking = planned,
    ) -> None:
        self.place = place
        self.numbers = list(runs)
        self._repeats = repeats
        self._asking = asking
        self._chance = random.Random(f"{seed} {place.number}")  # noqa: S311  # to be repeated
        self.client = Client(urls, key_of(place.user), self._chance)
        workspace = workspaces / place.user / place.workspace
        self.person = Person(self.client, place.number, workspace, seed, is_exact=repeats)
        self.ids: dict[int, str | None] = {}
        """Run id by number; None where it is not known whether there is one."""
        self.runs: dict[int, dict[str, Any]] = {}
        """What the service says of the runs that have ended."""
        self._seen: dict[int, str] = {}
        self.unsure: dict[int, str] = {}
        """Runs of which nothing more is known, and why: `unanswered`, or `lost` by the store."""
        self.strangers: list[str] = []
        """Runs that nobody asked for, or that have not ended after all."""

    async def open(self) -> None:
        """Open the session: once, however often it is asked for."""
        answer = await self.client.ask(
            "POST",
            "/v1/sessions",
            json={"workspace": self.place.workspace},
            headers={"Idempotency-Key": f"session-{self.place.number}"},
        )
        assert answer.status_code == 201, answer.text
        self.path = f"/v1/sessions/{answer.json()['id']}/runs"
        self.follower = Follower(self.client, answer.json()["id"], self._chance)

    async def live(self, seconds: float) -> None:
        """Ask for every run, spread over so many seconds, and follow them all to their ends."""
        try:
            async with asyncio.TaskGroup() as group:
                following = group.create_task(self.follower.follow(self._is_over))
                answering = group.create_task(self._answer())
                await self._ask_for_all(seconds)
                await following
                answering.cancel()
            await self._look_for_strangers()
        finally:
            await self.client.http.aclose()

    async def _ask_for_all(self, seconds: float) -> None:
        for number in self.numbers:
            await asyncio.sleep(self._chance.uniform(0, 2 * seconds / len(self.numbers)))
            await self._start(number)
        for number in self.numbers:
            await self._end(number)

    async def _answer(self) -> None:
        """Look again and again at the runs that ask, and answer them."""
        while True:
            for number, run_id in list(self.ids.items()):
                if asks(number) and run_id is not None and number not in self.runs:
                    await self.person.look(f"{self.path}/{run_id}", number)
            await asyncio.sleep(LOOK)

    async def _start(self, number: int) -> None:
        """Ask for a run; with its key it is one run, however often it is asked for."""
        ask = self.client.ask if self._repeats else self.client.ask_once
        answer = await ask(
            "POST",
            self.path,
            json={**self._asking(self.place, number), "on_busy": "enqueue"},
            headers={"Idempotency-Key": f"run-{number}"},
        )
        assert answer is None or answer.status_code == 202, answer.text
        self.ids.pop(number, None)  # asked for again, it is behind the others
        self.ids[number] = None if answer is None else answer.json()["id"]

    async def _look_for_strangers(self) -> None:
        """One request is one run, every run has ended, and each of its steps as it has."""
        found = (await self.client.ask("GET", self.path, params={"limit": 100})).json()["items"]
        wanted = {str(run["id"]) for run in self.runs.values()}
        self.strangers = [
            f"{self.path}/{run['id']}: {run['status']}"
            for run in found
            if run["id"] not in wanted or run["status"] not in FINAL
        ]
        self.strangers += [
            f"{self.path}/{run['id']}: step {step['n']} is {step['status']}"
            for run in self.runs.values()
            for step in run["steps"]
            if step["status"] in ("pending", "running")
        ]

    async def _end(self, number: int) -> None:
        """Wait for a run's end; one that the store has lost is asked for again, or given up."""
        why = "unanswered"
        while (run_id := self.ids[number]) is not None:
            answer = await self.client.ask("GET", f"{self.path}/{run_id}")
            if answer.status_code == 404:
                self.ids[number], why = None, "lost"
                if self._repeats:
                    await self._start(number)
                continue
            self._seen[number] = answer.json()["status"]
            if self._seen[number] in FINAL:
                self.runs[number] = answer.json()
                return
            await asyncio.sleep(LOOK)
        self.unsure[number] = why

    def _is_over(self, ended: set[str]) -> bool:
        """Tell a follower whether it has seen every run end."""
        is_settled = len(self.runs) + len(self.unsure) == len(self.numbers)
        is_told = ended >= {run["id"] for run in self.runs.values()}
        return is_settled and (is_told or self.follower.was_told_of_a_gap())

    def succeeded(self) -> list[int]:
        """Return the numbers of the runs that say so, in the order in which they were stored."""
        told = {n for n, run in self.runs.items() if run["status"] == "succeeded"}
        return [number for number in self.ids if number in told]

    def unfinished(self) -> list[int]:
        """Return the numbers of the other runs."""
        told = self.succeeded()
        return [number for number in self.numbers if number not in told]

    def open_runs(self) -> list[str]:
        """Say which runs have not ended yet, as far as it is known here."""
        return [
            f"{self.path}/{self.ids.get(number)}: {self._seen.get(number, 'not looked at')}"
            for number in self.numbers
            if number not in self.runs and number not in self.unsure
        ]
