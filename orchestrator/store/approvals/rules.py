"""The rules of users and sessions."""

import hashlib
from collections.abc import Sequence
from typing import Any

from common.approvals.rules import Rule, Rules
from common.errors import error
from orchestrator.store.backend import Backend
from orchestrator.store.encoding.session_records import RULES, read_rules
from orchestrator.store.records import RuleLayers


class RuleStore:
    """A user's rules are kept for ever, a session's with the session."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def of_user(self, user_id: str) -> Rules:
        """Return a user's own rules; none where nobody has set any."""
        redis, key = self._backend.redis, self._backend.keys.rules(user_id)
        text, revision = await self._backend.do(redis.hmget(key, "rules", "revision"))
        return Rules(rules=read_rules(text), revision=int(revision or 0))

    async def replace(self, user_id: str, rules: Sequence[Rule], expected: int | None) -> Rules:
        """Replace a user's rules; raise `precondition_failed` unless they have this revision.

        The last request once more has been done: its answer was lost.
        """
        text, revision = RULES.dump_json(list(rules)).decode(), "" if expected is None else expected
        request = hashlib.sha256(f"{revision} {text}".encode()).hexdigest()
        outcome, revision = await self._backend.script_on(
            "set_rules", [self._backend.keys.rules(user_id)], revision, text, request
        )
        if outcome == "changed":
            raise error(
                "precondition_failed",
                f"The rules have revision {revision}, and not {expected}",
                actual=int(revision),
            )
        return Rules(rules=list(rules), revision=int(revision))

    async def for_run(self, session_id: str, user_id: str) -> RuleLayers:
        """Return the rules that hold for a session's runs at this moment."""
        (remembered, own, session), (user, users) = await self._read(
            session_id, user_id, ("remembered", "rules", "revision"), ("rules", "revision")
        )
        return RuleLayers(
            revisions=(session or "0", users or "0"),
            remembered=read_rules(remembered),
            session=read_rules(own),
            user=read_rules(user),
        )

    async def are_still(self, layers: RuleLayers, session_id: str, user_id: str) -> bool:
        """Tell whether rules that were read are those that hold at this moment."""
        (session,), (user,) = await self._read(session_id, user_id, ("revision",), ("revision",))
        return (session or "0", user or "0") == layers.revisions

    async def _read(
        self, session_id: str, user_id: str, of_session: Sequence[str], of_user: Sequence[str]
    ) -> Any:
        keys = self._backend.keys
        pipeline = self._backend.redis.pipeline(transaction=False)
        pipeline.hmget(keys.session(session_id), of_session)
        pipeline.hmget(keys.rules(user_id), of_user)
        return await self._backend.do(pipeline.execute())
