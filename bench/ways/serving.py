"""Servers for a bench, each in a process of its own, so that the load takes none of their time."""

import asyncio
import os
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

import aiohttp

from common.processes.tether import tethered

PAUSE = 0.005
LONGEST = 60.0
NONE: Mapping[str, str] = MappingProxyType({})


async def started(
    command: Sequence[str],
    url: str,
    *,
    env: Mapping[str, str] = NONE,
    headers: Mapping[str, str] = NONE,
) -> tuple[Process, float]:
    """Start a server with more in its environment; return it, and the seconds from exec until the URL is answered with 200.

    Raises RuntimeError where it ends before, TimeoutError where it takes longer than a minute.
    """
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **env}, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await _answering(process, url, headers)
    except BaseException:
        await stopped(process)
        raise
    return process, time.perf_counter() - began


async def stopped(process: Process) -> None:
    """Ask a server to end, and wait until it has."""
    if process.returncode is None:
        process.terminate()
    await process.wait()


@asynccontextmanager
async def serving(
    command: Sequence[str],
    url: str,
    *,
    ready: str = "/",
    env: Mapping[str, str] = NONE,
    headers: Mapping[str, str] = NONE,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve until the end of the block, which is given a client of the server."""
    process, _ = await started(tethered(*command), url + ready, env=env, headers=headers)
    try:
        async with aiohttp.ClientSession(url, headers=headers) as http:
            yield http
    finally:
        await stopped(process)


async def _answering(process: Process, url: str, headers: Mapping[str, str]) -> None:
    async with aiohttp.ClientSession(headers=headers) as http, asyncio.timeout(LONGEST):
        while not await _is_answered(http, url):
            if process.returncode is not None:
                raise RuntimeError(f"a server has ended: exit code {process.returncode}")
            await asyncio.sleep(PAUSE)


async def _is_answered(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
