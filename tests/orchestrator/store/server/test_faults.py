"""Faults: what counts as a store that is away, how it is told, and how often."""

import pytest
from redis import exceptions
from redis.asyncio.sentinel import MasterNotFoundError

from orchestrator.store.backend import StoreConfig, StoreUnavailable
from orchestrator.store.server import faults
from orchestrator.store.server.faults import Faults
from orchestrator.store.server.formats import UnknownFormat
from orchestrator.store.store import make_store, open_store
from tests.orchestrator.fakes import until

AWAY = [
    exceptions.ConnectionError("Connection closed by server."),
    exceptions.MaxConnectionsError("Too many connections"),
    exceptions.AuthenticationError("invalid username-password pair or user is disabled."),
    exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
    exceptions.TimeoutError("Timeout reading from 10.0.0.1:6379"),
    TimeoutError(),
    exceptions.ReadOnlyError("You can't write against a read only replica."),
    exceptions.ClusterDownError("CLUSTERDOWN Hash slot not served"),
    exceptions.MasterDownError("MASTERDOWN Link with MASTER is down"),
    exceptions.TryAgainError("TRYAGAIN Multiple keys request during rehashing of slot"),
    exceptions.AskError("12 10.0.0.1:6379"),
    exceptions.MovedError("12 10.0.0.1:6379"),
    exceptions.NoScriptError("No matching script. Please use EVAL."),
    exceptions.InvalidResponse("Protocol Error"),
    exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."),
    exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    exceptions.ResponseError("UNBLOCKED force unblock from blocking operation"),
    exceptions.ResponseError("BUSY Redis is busy running a script."),
    exceptions.ResponseError(
        "Command # 1 (ZADD secret 0 x) of pipeline caused error: NOREPLICAS Not enough"
    ),
    exceptions.ResponseError(
        "Command # 1 (ZADD secret 0 x) of pipeline caused error: ('NOREPLICAS Not enough',)"
    ),
    exceptions.RedisClusterException("All slots are not covered"),
    exceptions.SlotNotCoveredError("Slot 12 is not covered by the cluster."),
    MasterNotFoundError("No master found for 'main' : Redis<host=10.0.0.1>"),
    UnknownFormat("its format is 9"),
]
MISTAKES = [
    exceptions.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    exceptions.ResponseError("BUSYGROUP Consumer Group name already exists"),
    exceptions.ResponseError("ERR wrong number of arguments"),
    exceptions.CrossSlotTransactionError("All keys must be in the same slot"),
    exceptions.DataError("Invalid input"),
]


async def _raise(error):
    raise error


@pytest.mark.parametrize("error", AWAY, ids=lambda error: f"{type(error).__name__} {error}"[:40])
async def test_fault_of_the_store_is_told_with_its_address_and_its_reason(redis, error):
    """Each of these ended a loop or a run, once, or could have."""
    backend = make_store(redis, "test", StoreConfig(), address="redis://store:6379").backend
    with pytest.raises(StoreUnavailable) as caught:
        await backend.do(_raise(error))
    assert (caught.value.code, caught.value.outcome) == ("unavailable", "not_executed")
    assert caught.value.detail.startswith("The session store at redis://store:6379 cannot be ")
    assert caught.value.detail.partition(": ")[2]
    assert "',)" not in caught.value.detail
    assert not {"secret", "10.0.0.1"} & set(caught.value.detail.replace(":", " ").split()[6:])


async def test_fault_of_a_full_store_is_a_code_of_its_own(redis):
    """New runs are refused for it, and running ones wait."""
    backend = make_store(redis, "test", StoreConfig()).backend
    full = exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
    with pytest.raises(StoreUnavailable, match="is full: command not allowed") as caught:
        await backend.do(_raise(full))
    assert caught.value.code == "store_full"


@pytest.mark.parametrize("error", MISTAKES, ids=lambda error: str(error)[:20])
async def test_mistake_of_ours_is_no_fault_of_the_store(redis, error):
    """To wait until it is over would be for ever: it ends what made it, with its cause."""
    backend = make_store(redis, "test", StoreConfig()).backend
    with pytest.raises(type(error)):
        await backend.do(_raise(error))


async def test_fault_says_what_the_kernel_says_and_no_path(tmp_path):
    """The detail goes to clients."""
    async with open_store(f"unix://{tmp_path}/nothing", "test", StoreConfig()) as store:
        with pytest.raises(StoreUnavailable, match="its Unix socket cannot be reached: No such"):
            await store.ping()
    async with open_store("redis://:s3cret@127.0.0.1:1", "test", StoreConfig()) as store:
        with pytest.raises(StoreUnavailable) as caught:
            await store.ping()
    assert caught.value.detail == (
        "The session store at redis://127.0.0.1:1 cannot be reached: Connection refused"
    )


async def test_fault_is_logged_when_it_begins_and_when_it_is_over(caplog, monkeypatch):
    """Not three times a second: once for each reason, and once when nothing fails any more."""
    monkeypatch.setattr(faults, "QUIET", 0.05)
    told = Faults("redis://store:6379")
    refused = exceptions.ResponseError("NOREPLICAS Not enough good replicas to write.")
    for _ in range(5):
        told.of(refused)
        told.passed()  # reads pass while writes do not
        told.of(TimeoutError())

    async def is_back():
        told.passed()
        return "is back" in caplog.text

    lines = caplog.text
    assert (lines.count("cannot be used"), lines.count("cannot be reached")) == (1, 1)
    assert "NOREPLICAS Not enough good replicas to write." in lines
    assert lines.count("redis://store:6379") == 2
    assert "is back" not in lines
    await until(is_back)
    caplog.clear()
    told.passed()
    assert caplog.text == ""
    told.of(refused)
    assert "cannot be used" in caplog.text
