"""What names a run wherever it stands in line."""

from typing import NamedTuple, Self

from common.ids import made_at
from orchestrator.store.records import Lease


class RunRef(NamedTuple):
    """A run, with its session and its user: enough to find everything that is kept about it."""

    user_id: str
    session_id: str
    run_id: str

    @classmethod
    def of(cls, lease: Lease) -> Self:
        """Return the name of the run that a lease is for."""
        return cls(lease.session.user_id, lease.session.id, lease.run.id)

    @classmethod
    def parse(cls, member: str) -> Self:
        """Read what `member` gave."""
        return cls(*member.split("/"))

    @property
    def member(self) -> str:
        """The run as an entry of an index; none of the three parts can hold a slash."""
        return "/".join(self)

    @property
    def made_ms(self) -> int:
        """When the run was asked for, by the clock of who took the request: ms."""
        return round(made_at(self.run_id).timestamp() * 1000)

    def sibling(self, run_id: str) -> "RunRef":
        """Return another run of the same session."""
        return self._replace(run_id=run_id)
