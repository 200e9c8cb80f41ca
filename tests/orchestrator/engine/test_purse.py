"""The purse: what a model may take is reserved before it is asked, and never above the run's budget."""

import pytest

from common.errors import ClientError
from common.plans import Usage
from common.runs import Budget
from orchestrator.engine.purse import RunPurse, Spending
from orchestrator.engine.signals import Signals
from orchestrator.planners.decisions import CallTools, Finish
from tests.orchestrator.builders import code_of, expire_lease
from tests.orchestrator.fakes import (
    NO_FILE,
    ConversingPlanner,
    ScriptedExecutor,
    answered,
    call,
    runner_of,
)


@pytest.fixture
def purse(store, leased, redis):
    """Lease a run with a budget; return its purse, its spending, and how to lose and take it anew."""

    async def make(**budget):
        lease = await leased(budget=Budget(**budget))
        spending = Spending(lease.used)

        async def taken_anew():
            await expire_lease(redis, lease)
            return Spending((await store.leases.acquire(lease.session.id, lease.run.id, "w2")).used)

        return RunPurse(store.conversation, lease, spending), spending, taken_anew

    return make


async def test_purse_holds_no_more_than_the_budget_of_tokens(purse):
    """Used, lost and reserved together: after the request it is too late."""
    purse, spending, _ = await purse(tokens=100)
    await purse.reserve(60, None)
    await purse.settle(Usage(input_tokens=20, output_tokens=10))
    await purse.reserve(60, None)  # its answer is lost: nobody settles it
    with pytest.raises(ClientError) as caught:
        await purse.reserve(11, None)
    context = caught.value.context
    assert (caught.value.code, context.limit, context.actual) == ("budget_exceeded", 100, 101)
    await purse.reserve(10, None)
    assert spending.tokens == 100


async def test_purse_holds_no_more_than_the_budget_of_dollars(purse):
    """To the nanodollar, and three times 0.1 is 0.3."""
    purse, spending, _ = await purse(cost=0.3)
    await purse.reserve(1, 0.3)
    await purse.settle(Usage(cost=0.1))
    await purse.reserve(1, 0.2)
    await purse.settle(Usage(cost=0.1))
    await purse.reserve(1, 0.1)
    assert spending.cost == 0.3
    assert await code_of(purse.reserve(1, 0.000000001)) == "budget_exceeded"


async def test_purse_whose_dollars_are_bounded_pays_for_no_model_without_a_price(purse):
    """Its bound could not be kept."""
    purse, *_ = await purse(cost=1.0)
    assert await code_of(purse.reserve(1, None)) == "invalid_request"


async def test_purse_counts_as_the_store_does_for_whoever_takes_the_run_over(purse):
    """What was under way when the worker was lost is lost, too, and counted once."""
    purse, spending, taken_anew = await purse()
    await purse.reserve(7, 0.1)
    await purse.reserve(50, 0.5)
    await purse.settle(Usage(input_tokens=30, output_tokens=3, cost=0.25))
    await purse.reserve(20, 0.2)
    later = await taken_anew()
    assert (spending.tokens, spending.cost) == (later.tokens, later.cost) == (60, 0.55)


async def test_run_makes_no_request_that_its_budget_does_not_hold(store, leased):
    """What the turns before took is settled with them; the planner is told what is left."""
    asked = []

    def deciding(decision):
        async def decide(around):
            await around.purse.reserve(60, 0.2)
            asked.append(decision)
            return decision

        return decide

    calls = CallTools([call()], answered(tokens=40, cost=0.1))
    planner = ConversingPlanner(deciding(calls), deciding(Finish("no")))
    lease = await leased(budget=Budget(tokens=99, cost=1.0))
    await runner_of(store, ScriptedExecutor(NO_FILE, {}), planner).execute(lease, Signals())
    left = [(told.left.tokens, told.left.cost) for told in planner.told]
    run = await store.runs.get(lease.session.id, lease.run.id)
    assert (run.status, run.error.code, run.error.context["actual"]) == (
        "failed",
        "budget_exceeded",
        100,
    )
    assert (asked, left) == ([calls], [(99, 1.0), (59, 0.9)])
    assert (run.usage.input_tokens, run.usage.lost_tokens) == (40, 0)
