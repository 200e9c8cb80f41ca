"""Rules of users: they stay for ever, and of two people one alone replaces what both have seen."""

import asyncio

import pytest

from common.approvals.rules import MAX_GLOB, MAX_RULES, Rule, Rules
from common.errors import AgenticError
from common.sessions import SessionPatch
from tests.orchestrator.builders import code_of

DENY, ASK = Rule(path="secrets", effect="deny"), Rule(tool="remove", effect="ask")


async def test_rules_of_a_user_who_has_set_none_are_none(any_store):
    """Their ETag is that of the first ones to come."""
    assert await any_store.rules.of_user("ann") == Rules(rules=[], revision=0)


async def test_rules_are_replaced_as_a_whole_and_are_the_users_own(any_store):
    """Nobody else's, and as often as they are read."""
    first = await any_store.rules.replace("ann", [DENY, ASK], 0)
    assert first == await any_store.rules.of_user("ann") == Rules(rules=[DENY, ASK], revision=1)
    assert await any_store.rules.replace("ann", [], None) == Rules(rules=[], revision=2)
    assert await any_store.rules.of_user("bob") == Rules(rules=[], revision=0)


async def test_rules_that_are_others_by_now_are_not_replaced(any_store):
    """One of two who have seen the same is told what there is."""
    both = [any_store.rules.replace("ann", [rule], 0) for rule in (DENY, ASK)]
    given = await asyncio.gather(*both, return_exceptions=True)
    [refused] = [answer for answer in given if isinstance(answer, AgenticError)]
    assert (refused.code, refused.context.actual) == ("precondition_failed", 1)
    [stored] = [answer for answer in given if isinstance(answer, Rules)]
    assert await any_store.rules.of_user("ann") == stored


async def test_rules_that_are_sent_twice_are_replaced_once(any_store, monkeypatch):
    """The first answer was lost: that is no change by somebody else."""
    script_on = any_store.backend.script_on

    async def resent(*arguments, **keywords):
        await script_on(*arguments, **keywords)
        return await script_on(*arguments, **keywords)

    monkeypatch.setattr(any_store.backend, "script_on", resent)
    assert (await any_store.rules.replace("ann", [DENY], 0)).revision == 1
    assert (await any_store.rules.of_user("ann")).revision == 1


async def test_rules_never_expire(any_store, any_redis):
    """A denial that did would be a permission, once its user has been away for long."""
    await any_store.rules.replace("ann", [DENY], None)
    [key] = await any_redis.keys("*:rules")
    assert (key, await any_redis.ttl(key)) == (any_store.backend.keys.rules("ann"), -1)


async def test_longest_rules_that_a_user_may_set_are_stored(any_store):
    """Every character of them."""
    longest = Rule(tool="t" * 64, path="✓" * MAX_GLOB, effect="ask")
    await any_store.rules.replace("ann", [longest] * MAX_RULES, None)
    assert (await any_store.rules.of_user("ann")).rules == [longest] * MAX_RULES


@pytest.mark.parametrize("has_expired", [False, True])
async def test_rules_that_hold_for_a_run_are_those_of_the_moment(any_store, any_redis, has_expired):
    """A denial counts from when it is said; a session that is gone takes none of its user's along."""
    session = await any_store.sessions.create("ann", None, {}, None)
    layers = await any_store.rules.for_run(session.id, "ann")
    assert layers.in_order == [[], [], []]
    await any_store.rules.replace("ann", [DENY], None)
    await any_store.session_changes.patch(session, SessionPatch(rules=[ASK]), None)
    if has_expired:
        await any_redis.delete(any_store.backend.keys.session(session.id))
    layers = await any_store.rules.for_run(session.id, "ann")
    assert layers.in_order == [[], [] if has_expired else [ASK], [DENY]]


async def test_rules_are_not_to_be_had_while_the_store_is_away(away):
    """To go on as if there were none would do what is denied."""
    assert await code_of(away.rules.for_run("ses_1", "ann")) == "unavailable"
