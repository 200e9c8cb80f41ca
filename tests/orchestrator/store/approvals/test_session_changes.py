"""Changes of sessions: compared with what was seen, whole, and with all that lives as long as they do."""

from datetime import timedelta

import pytest

from common.approvals.reviews import ApprovalAnswer
from common.approvals.rules import Rule
from common.errors import AgenticError
from common.sessions import SessionPatch
from orchestrator.store.approvals.reviews import Said
from orchestrator.store.backend import StoreConfig
from orchestrator.store.queue.refs import RunRef
from orchestrator.store.store import make_store
from tests.orchestrator.builders import (
    ask_approval,
    begun,
    code_of,
    document,
    review,
    server_time,
)

ALLOW, DENY = Rule(path="docs", effect="allow"), Rule(tool="remove", effect="deny")
WEEK = 7 * 24 * 3600


async def open_session(store, **changed):
    """Open a session of a user."""
    given = {"workspace": "w", "metadata": {"a": "1"}, "ttl": None, **changed}
    return await store.sessions.create("ann", **given)


async def patch(store, session, expected=None, **changes):
    """Change a session."""
    return await store.session_changes.patch(session, SessionPatch(**changes), expected)


async def remember(store, session, rule):
    """Answer to a turn of the session, and have the answer remembered."""
    run = document(session.id)
    await store.runs.create(run, "reject")
    lease = await store.leases.acquire(session.id, run.id, "w")
    await ask_approval(store, lease)
    approve = ApprovalAnswer(decision="approve")
    said = Said(1, approve, review("approved"), "approval.received", {}, remember=rule)
    await store.reviews.say(session.id, run.id, said, user_id="ann")
    return await store.sessions.get(session.id, "ann")


async def test_session_keeps_what_a_change_leaves_out(any_store):
    """Each change is a new revision."""
    session = await open_session(any_store)
    assert (session.revision, session.rules, session.remembered) == (0, [], [])
    changed = await patch(any_store, session, 0, rules=[ALLOW, DENY])
    assert changed == session.model_copy(update={"rules": [ALLOW, DENY], "revision": 1})
    renamed = await patch(any_store, changed, 1, metadata={"b": "2"})
    assert renamed == changed.model_copy(update={"metadata": {"b": "2"}, "revision": 2})
    assert await any_store.sessions.get(session.id, "ann") == renamed
    assert (await any_store.sessions.list("ann", 10, None)).items == [renamed]


async def test_session_that_is_another_by_now_is_not_changed(any_store):
    """Who has seen an older one is told; who has seen none changes what there is."""
    session = await open_session(any_store)
    await patch(any_store, session, metadata={"b": "2"})
    for seen in (session, await any_store.sessions.get(session.id, "ann")):
        with pytest.raises(AgenticError) as caught:
            await patch(any_store, seen, 0, rules=[DENY])
        assert (caught.value.code, caught.value.context.actual) == ("precondition_failed", 1)
    changed = await patch(any_store, session, rules=[DENY])  # read before the other change
    assert (changed.metadata, changed.rules, changed.revision) == ({"b": "2"}, [DENY], 2)


async def test_session_is_changed_once_when_the_script_is_sent_twice(any_store, monkeypatch):
    """The first answer was lost: that is no change by somebody else."""
    session, script = await open_session(any_store), any_store.backend.script

    async def resent(*arguments, **keywords):
        await script(*arguments, **keywords)
        return await script(*arguments, **keywords)

    monkeypatch.setattr(any_store.backend, "script", resent)
    changed = await patch(any_store, session, 0, rules=[DENY], ttl=60)
    assert (changed.rules, changed.revision, changed.ttl) == ([DENY], 1, 60)


async def test_session_that_is_gone_is_not_changed(any_store, any_redis):
    """Nor does a part of it come back."""
    session = await open_session(any_store)
    await any_store.sessions.delete(session.id, "ann")
    assert await code_of(patch(any_store, session, 0, rules=[DENY])) == "session_not_found"
    assert await any_redis.keys("*:session") == []


async def test_session_forgets_what_was_remembered_only_when_it_has_no_rules_any_more(any_store):
    """A change of its own rules says nothing about what people have answered."""
    session = await remember(any_store, await open_session(any_store), ALLOW)
    assert (session.remembered, session.revision) == ([ALLOW], 1)
    for changes in ({"rules": [DENY]}, {"metadata": {}}):
        session = await patch(any_store, session, session.revision, **changes)
        assert (session.remembered, session.rules) == ([ALLOW], [DENY])
    session = await patch(any_store, session, 3, rules=[])
    assert (session.remembered, session.rules) == ([], [])


async def test_session_that_an_answer_has_changed_is_another(any_store):
    """Who takes all rules away has to have seen those that were remembered."""
    session = await open_session(any_store)
    await remember(any_store, session, DENY)
    assert await code_of(patch(any_store, session, 0, rules=[])) == "precondition_failed"
    assert (await any_store.sessions.get(session.id, "ann")).remembered == [DENY]


async def test_session_lives_no_longer_than_the_deployment_allows(any_store):
    """As when it is opened; what is left out stays."""
    session = await open_session(any_store, ttl=timedelta(seconds=60))
    assert (await patch(any_store, session, metadata={})).ttl == 60
    assert (await patch(any_store, session, ttl=100 * WEEK)).ttl == WEEK


async def test_session_is_kept_for_the_new_time_with_all_its_runs(any_store, any_redis):
    """Runs that went before it would be missing in its history; whatever was kept a moment ago."""
    session = await open_session(any_store, ttl=timedelta(seconds=100))
    runs = [document(session.id) for _ in range(3)]
    for run in runs:
        await any_store.runs.create(run, "reject")
        lease = await any_store.leases.acquire(session.id, run.id, "w")
        await ask_approval(any_store, lease)
        await any_store.runs.cancel(session.id, run.id)
    for ttl in (1000, 200):
        session = await patch(any_store, session, ttl=ttl)
        keys = await any_redis.keys(f"test:{{{session.id}}}:*")
        assert sum(key.endswith(":reviews") for key in keys) == 3
        left = [await any_redis.pttl(key) / 1000 for key in keys]
        assert ttl - 10 < min(left) <= max(left) <= ttl * 33 / 32


async def test_session_with_less_time_is_kept_while_its_runs_wait(any_store, any_redis):
    """The reaper was to look in days; the session would have gone with the run that waits, and with
    those in line behind it.
    """
    lease = await begun(any_store)
    session, following = lease.session, document(lease.session.id)
    await any_store.runs.create(following, "enqueue")
    await ask_approval(any_store, lease)
    await patch(any_store, session, ttl=60)
    waiting = [RunRef.of(lease), RunRef.of(lease).sibling(following.id)]
    for ref in waiting:
        soon = await server_time(any_redis) + 5000
        assert await any_redis.zscore("test:parked", ref.member) <= soon
        await any_redis.zadd("test:parked", {ref.member: 1})
    await any_store.reaper.reap()
    for ref in waiting:
        half = await server_time(any_redis) + 30_000
        assert await any_redis.zscore("test:parked", ref.member) <= half


async def test_reaper_is_told_before_a_session_has_less_time(any_store, any_redis, monkeypatch):
    """A crash in between leaves a look too many; a run that comes in between is told of as well."""
    lease = await begun(any_store)
    second, script, seen = document(lease.session.id), any_store.backend.script, []

    async def with_another(name, *arguments, **keywords):
        answer = await script(name, *arguments, **keywords)
        seen.append((answer[0], await any_redis.hget(key, "ttl")))
        if len(seen) == 1:
            monkeypatch.setattr(any_store.backend, "script", script)
            await any_store.runs.create(second, "enqueue")
            monkeypatch.setattr(any_store.backend, "script", with_another)
        return answer

    key = any_store.backend.keys.session(lease.session.id)
    monkeypatch.setattr(any_store.backend, "script", with_another)
    await patch(any_store, lease.session, ttl=60)
    whole = str(WEEK * 1000)
    assert seen[:3] == [("unannounced", whole), ("unannounced", whole), ("done", "60000")]
    soon = await server_time(any_redis) + 5000
    noted = await any_redis.zrange("test:parked", 0, -1, withscores=True)
    assert [score <= soon for _, score in noted] == [True, True]


async def test_session_that_format_3_has_stored_is_changed(any_store, any_redis):
    """It knew no rules, no revisions, and kept what a session was in its document alone."""
    session = await open_session(any_store)
    key = any_store.backend.keys.session(session.id)
    old = session.model_dump_json(exclude={"rules", "remembered", "revision"})
    await any_redis.hset(key, "document", old)
    assert await any_store.sessions.get(session.id, "ann") == session
    changed = await patch(any_store, session, 0, rules=[DENY])
    assert (changed.rules, changed.revision, changed.metadata) == ([DENY], 1, {"a": "1"})


async def test_run_that_format_3_has_stored_asks_and_is_answered(any_store, any_redis):
    """It was begun before there were reviews, and its session goes on with a newer program."""
    lease = await begun(any_store)
    await any_redis.hdel(
        any_store.backend.keys.session(lease.session.id), "revision", "rules", "remembered"
    )
    await ask_approval(any_store, lease)
    said = Said(
        1, ApprovalAnswer(decision="approve"), review("approved"), "approval.received", {},
        remember=DENY,
    )  # fmt: skip
    await any_store.reviews.say(lease.session.id, lease.run.id, said, user_id="ann")
    session = await any_store.sessions.get(lease.session.id, "ann")
    assert (session.remembered, session.revision) == ([DENY], 1)


async def test_full_store_refuses_a_change_and_leaves_the_session_as_it_was(real_redis):
    """Not half of it."""
    store = make_store(real_redis, "test", StoreConfig())
    session = await open_session(store)
    await real_redis.config_set("maxmemory", "1")
    assert await code_of(patch(store, session, 0, rules=[DENY], ttl=60)) == "store_full"
    await real_redis.config_set("maxmemory", "0")
    assert await store.sessions.get(session.id, "ann") == session
