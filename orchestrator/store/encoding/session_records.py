"""Sessions as they are kept and as they are read, with the rules of both them and users."""

from collections.abc import Iterable, Sequence

from pydantic import TypeAdapter

from common.approvals.rules import Rule
from common.sessions import Session
from orchestrator.store.records import Fields, length_of, moment, off_loop

RULES = TypeAdapter(list[Rule])


def read_rules(text: str | None) -> list[Rule]:
    """Read rules as they are kept; none where nobody has set any."""
    return [] if not text else RULES.validate_json(text)


def read_session(fields: Fields) -> Session:
    """Read a session's hash."""
    document = Session.model_validate_json(fields["document"])
    return Session.model_validate(
        document.model_dump()
        | {
            "active_run": fields["active"] or None,
            "created_at": moment(fields["created"]),
            "rules": read_rules(fields.get("rules")),
            "remembered": read_rules(fields.get("remembered")),
            "revision": int(fields.get("revision", 0)),
        }
    )


async def read_sessions(found: Sequence[Fields]) -> list[Session]:
    """Read sessions' hashes, off the loop where they are long; an empty one is no session."""
    return await off_loop(length_of(*found), _read_all, found)


def _read_all(found: Iterable[Fields]) -> list[Session]:
    return [read_session(fields) for fields in found if fields]
