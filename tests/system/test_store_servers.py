"""The store on servers as people run them: a cluster, a master with its replica, Sentinel."""

import asyncio
import json
from contextlib import aclosing, suppress
from datetime import timedelta

import pytest
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
    RedisClusterException,
    ResponseError,
    TimeoutError as RedisTimeoutError,
)

from common.ids import new_id
from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.server.formats import FORMAT, UnknownFormat
from orchestrator.store.store import open_store
from orchestrator.store.texts import Wanted
from tests.orchestrator.builders import DONE, call_of, document, event_types, step, turn
from tests.orchestrator.fakes import until
from tests.system.servers import cluster, cluster_url, replica_of, sentinel_of, standalone

SESSIONS = 12
"""Of so few, eight had a key elsewhere than the first client asked."""
CONFIG = StoreConfig(lease=timedelta(seconds=5))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A cluster of three."""
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
async def store(nodes):
    """A store on it."""
    async with open_store(cluster_url(nodes), "test", CONFIG) as store:
        yield store


async def _work(store, number):
    """Open a session, and take one run of it from its start to its end."""
    session = await store.sessions.create("ann", "w", {}, None, (f"key-{number}", "digest"))
    run = document(session.id)
    await store.runs.create(run, "reject", ("key", "digest"))
    wakeup = await store.queue.next("worker", timedelta(seconds=2))
    assert wakeup.run_id == run.id
    lease = await store.leases.acquire(session.id, run.id, f"token-{number}")
    made = step()
    await store.progress.record_turn(lease, turn(made))
    await store.progress.record(lease, [(made, call_of(made))])
    assert not await store.leases.renew(lease)
    ended = made.model_copy(update={"status": "succeeded"})
    await store.progress.record(lease, [(ended, call_of(made))])
    await store.progress.finish(lease, DONE)
    assert (await store.runs.get(session.id, run.id)).status == "succeeded"
    assert [item.id for item in (await store.runs.list(session.id, 5, None)).items] == [run.id]
    assert (await event_types(store, session.id))[-1] == "run.succeeded"
    await store.reaper.reap()
    return session.id


def _holds_a_session(node):
    return any(key.endswith(":session") for key in node.ask("KEYS", "*"))


async def test_cluster_holds_sessions_on_every_node_and_notifies_from_each(nodes, store):
    """Scripts, pipelines, transactions, the stream of wake-ups, pub/sub: each goes where its key is."""
    heard = set()

    async def listen():
        async for kind, subject in store.events.notifications():
            if kind == "event":
                heard.add(subject)

    listening = asyncio.create_task(listen())
    await until(lambda: any("test:hints" in str(node.ask("PUBSUB", "CHANNELS")) for node in nodes))
    worked = {await _work(store, number) for number in range(SESSIONS)}
    while not all(_holds_a_session(node) for node in nodes):  # one time in forty: ids are random
        worked.add(await _work(store, len(worked)))
    await until(lambda: heard == worked or listening.done())
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert {item.id for item in (await store.sessions.list("ann", 100, None)).items} == worked
    for session_id in worked:
        await store.sessions.delete(session_id, "ann")
    assert (await store.sessions.list("ann", 100, None)).items == []


async def _hear(store, wanted, heard):
    """Listen to what planners say, again after each fault of the store."""
    while wanted:
        with suppress(StoreUnavailable):
            async with aclosing(store.texts.spoken(wanted)) as events:
                async for event in events:
                    heard.add((event.session_id, event.data["text"]))


async def _say(store, sessions, text):
    """Publish a piece in each session."""
    said = json.dumps({"run_id": new_id("run"), "time": 1, "data": {"text": text}})
    for session_id in sessions:
        channel = store.backend.keys.text_channel(session_id)
        await store.backend.redis.execute_command("PUBLISH", channel, said)


async def test_cluster_brings_what_planners_say_in_sessions_on_every_node(nodes, store):
    """One connection hears the channels of all of them; cut off, it hears them again."""
    wanted, heard, sessions = Wanted(), set(), [new_id("ses") for _ in range(SESSIONS)]
    for session_id in sessions:
        wanted.add(session_id)
    listening = asyncio.create_task(_hear(store, wanted, heard))
    for text in ("before", "after"):

        async def is_heard(text=text):
            await _say(store, sessions, text)
            return heard >= {(session_id, text) for session_id in sessions}

        await until(is_heard)
        cut = [node.ask("CLIENT", "KILL", "TYPE", "pubsub") for node in nodes]
        assert sorted(cut) == [0, 0, 1]
    for session_id in sessions:
        wanted.discard(session_id)
    await listening


async def test_cluster_without_one_of_its_nodes_is_a_fault_until_it_is_back(nodes, store):
    """Requests are told so, nothing else breaks, and what was there is there again."""
    made = [await store.sessions.create("ann", "w", {}, None) for _ in range(SESSIONS)]
    nodes[1].kill()

    async def is_refused():
        try:
            await store.sessions.create("ann", "w", {}, None)
        except StoreUnavailable as fault:
            return "redis+cluster://" in fault.detail
        return False

    await until(is_refused)
    nodes[1].start()

    async def is_back():
        try:
            return [await store.sessions.get(session.id, "ann") for session in made] == made
        except StoreUnavailable:
            return False

    await until(is_back)


async def test_transaction_that_finds_the_cluster_anew_leaves_usable_connections(nodes, store):
    """redis-py would find it on an event loop of a thread, which ends with its first command."""
    session = await store.sessions.create("bob", "w", {}, None, ("key-anew", "digest"))
    run = document(session.id)
    await store.runs.create(run, "reject", ("key", "digest"))
    clients = (store.backend.redis, store.events._backend.redis)
    for _ in range(2 * len(nodes)):  # each time another node may be the one that is asked
        for client in clients:
            await client.aclose()  # as it closes itself after a fault
        assert (await store.runs.get(session.id, run.id)).id == run.id
        assert await store.events.after(session.id, 0, 10)


async def test_transaction_that_fails_gives_its_connection_back_to_its_node(store):
    """Kept until the cluster is found anew, it went to another node's pool, and led elsewhere for good."""
    client = store.backend.redis
    await client.get("a")
    transaction = client.pipeline(transaction=True).get("a")._execution_strategy
    node, connection = transaction._get_client_and_connection_for_transaction()
    await transaction._reinitialize_on_error(RedisTimeoutError("no answer to a SYN"), 1)
    assert transaction._transaction_connection is None
    assert connection in node._free


@pytest.mark.parametrize(
    "command", [("WATCH", "a"), ("EVALSHA", "sha", 1, "a"), ("eval", "return 5", 0), ("PING",)]
)
async def test_transaction_on_a_cluster_refuses_what_it_cannot_queue(store, command):
    """What has to be sent at once would be forgotten, and what names no key first goes astray."""
    with pytest.raises(RedisClusterException, match=command[0]):
        store.backend.redis.pipeline(transaction=True).execute_command(*command)


async def test_cluster_of_a_newer_format_is_refused(nodes, store):
    """Whichever node holds the number."""
    await store.ping()
    [holder] = [node for node in nodes if "test:format" in node.ask("KEYS", "test:format")]
    holder.ask("SET", "test:format", FORMAT + 1)
    try:
        with pytest.raises(UnknownFormat):
            async with open_store(cluster_url(nodes), "test", CONFIG):
                pass
    finally:
        holder.ask("SET", "test:format", FORMAT)


async def test_cluster_acknowledges_replicated_writes_over_the_connection_of_the_write(nodes):
    """WAIT on another connection waits for nothing: without replicas it has to say so."""
    config = StoreConfig(replica_acks=1)
    async with open_store(cluster_url(nodes), "test", config) as store:
        for number in range(len(nodes)):
            with pytest.raises(StoreUnavailable, match="0 of 1 replicas have acknowledged"):
                await store.backend.script(
                    "touch", f"ses_{number}", "", is_replicated=True, patience=timedelta(0)
                )


async def test_replicated_write_is_on_the_replica_when_it_returns(tmp_path):
    """What is decided is there after the master is lost, the answer as well when it comes again."""
    config = StoreConfig(replica_acks=1)
    with standalone(tmp_path / "a") as master, replica_of(master, tmp_path / "b") as replica:
        async with open_store(master.url, "test", config) as store:
            session = await store.sessions.create("ann", "w", {}, None)
            run = document(session.id)
            await store.runs.create(run, "reject")
            asked = (
                "acquire", session.id, run.id, "token", 5000, 5, "{}"
            )  # fmt: skip
            first = await store.backend.script(*asked, is_replicated=True)
            again = await store.backend.script(*asked, is_replicated=True)
            assert first == again
            master.kill()
        replica.ask("REPLICAOF", "NO", "ONE")
        fence = replica.ask("HGET", f"test:{{{session.id}}}:run:{run.id}", "fence")
        assert first[:2] == ["acquired", fence]


def _fails_over(sentinel):
    """Have the replica promoted; tell whether Sentinel has got to know it yet."""
    try:
        return sentinel.ask("SENTINEL", "FAILOVER", "main")
    except ResponseError as refusal:
        assert "NOGOODSLAVE" in str(refusal)
        return False


def _is_master(server):
    """Sentinel ends the connections of whoever asks in the moment of the promotion."""
    try:
        return server.info("replication")["role"] == "master"
    except RedisConnectionError:
        return False


async def test_store_follows_the_master_that_sentinel_names(tmp_path):
    """The old master is demoted while connections to it are open: the next command finds the new one."""
    with (
        standalone(tmp_path / "a") as first,
        replica_of(first, tmp_path / "b") as second,
        sentinel_of(first, tmp_path / "s") as sentinel,
    ):
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main"
        async with open_store(url, "test", CONFIG) as store:
            made = await store.sessions.create("ann", "w", {}, None)
            await until(lambda: made.id in str(second.ask("KEYS", "*")))
            await until(lambda: _fails_over(sentinel))
            await until(lambda: _is_master(second))
            first.ask("REPLICAOF", "127.0.0.1", second.port)  # what Sentinel does 8 s later

            async def is_written():
                try:
                    await store.sessions.create("ann", "w", {}, None)
                except StoreUnavailable:
                    return False
                return True

            await until(is_written)
            assert (await store.sessions.get(made.id, "ann")).id == made.id
            assert len((await store.sessions.list("ann", 9, None)).items) >= 2


async def _pipe(reader, writer):
    """Pass on what comes, until there is no more."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_store_leaves_connections_to_a_master_that_was_demoted(tmp_path):
    """A name leads to the new master: what is connected to the old one would be refused for ever."""
    with standalone(tmp_path / "a") as first, replica_of(first, tmp_path / "b") as second:
        current = [first]

        async def connect(reader, writer):
            there = await asyncio.open_connection("127.0.0.1", current[0].port)
            await asyncio.gather(_pipe(reader, there[1]), _pipe(there[0], writer))

        name = await asyncio.start_server(connect, "127.0.0.1", 0)
        url = f"redis://127.0.0.1:{name.sockets[0].getsockname()[1]}"
        async with open_store(url, "test", CONFIG) as store:
            await store.sessions.create("ann", "w", {}, None)
            current[0] = second
            second.ask("REPLICAOF", "NO", "ONE")
            first.ask("REPLICAOF", "127.0.0.1", second.port)
            session = await store.sessions.create("ann", "w", {}, None)
            assert session.id in str(second.ask("KEYS", "*"))
        name.close()
        await name.wait_closed()
