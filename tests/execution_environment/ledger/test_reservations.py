"""What calls have staged at the same time fits into the quota together."""

import asyncio

from starlette.datastructures import Headers

from common.context import Limits
from common.errors import ToolError
from execution_environment.calls.file_request import FileRequest
from execution_environment.calls.workspace_factory import ServiceLimits
from execution_environment.sandbox.limits import STEP, Usage
from tests.execution_environment.conftest import MIB, pieces, staged_in, tool_call

UPLOADS = 8


async def until(condition, seconds=10):
    """Wait for a condition on the loop."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.001)


async def test_uploads_at_once_stage_no_more_than_the_quota_allows(assemble, data_dir):
    """Eight of the quota's size: each fits alone, and together they would take eight times that."""
    quota = 4 * MIB
    parts = assemble(allowed=ServiceLimits(MIB, MIB, Usage(quota, 100)))
    begun, most = asyncio.Barrier(UPLOADS), 0

    async def upload(number):
        context = tool_call("x").context
        await parts.uploads.take(
            FileRequest(f"u{number}", 0, f"f{number}", context), Headers(), body()
        )

    async def body():
        nonlocal most
        await begun.wait()
        for _ in range(quota // STEP * 4):
            yield bytes(STEP // 4)
            most = max(most, staged_bytes(data_dir))

    outcomes = await asyncio.gather(*map(upload, range(UPLOADS)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ToolError)]
    assert {error.code for error in refused} == {"quota_exceeded"}
    assert most <= quota + UPLOADS * STEP < UPLOADS * quota
    await until(lambda: not staged_in(data_dir)[1:])
    await parts.uploads.take(
        FileRequest("last", 0, "f", tool_call("x", {"limits": Limits()}).context),
        Headers(),
        pieces(),
    )
    await parts.close()


def staged_bytes(data_dir):
    """Return how large the files in staging are."""
    return sum(path.stat().st_size for path in (data_dir / "state/staging").rglob("*"))


async def test_a_reservation_of_a_dead_process_is_given_back(assemble, parts, data_dir):
    """Else every crash in mid-upload would take room away until the next start of all."""
    parts._reservations.change("local/demo", 50 * MIB, 100 * MIB)
    parts._reservations.forget(lambda process: process == parts.sandbox.renamer.staging.process)
    parts._reservations.change("local/demo", 100 * MIB, 100 * MIB)
    parts._reservations.change("local/demo", -100 * MIB, 100 * MIB)
