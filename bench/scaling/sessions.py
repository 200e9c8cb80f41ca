"""Runs against how many sessions there are, and how many follow one."""

from itertools import pairwise

import aiohttp

from bench.following.followers import crowd
from bench.rounds import Request
from bench.runs import one_run, opened_session, reads, whole_run
from bench.scaling.curve import Curve, curve_of
from bench.ways.way import PLACES

EACH = 10
SESSIONS = [100 * 2**n for n in range(5)]
FOLLOWERS = [2**n for n in range(7)]


async def measure_sessions(http: aiohttp.ClientSession, rounds: int) -> Curve:
    """Measure runs in new sessions while there are more and more of them."""
    costs = []
    for before, count in pairwise([0, *SESSIONS]):
        for _ in range(count - before):
            await opened_session(http, PLACES[0])
        costs.append(await _cost(count, whole_run(http, PLACES[0], 1), rounds))
    return Curve("a run and its session, sessions there are", SESSIONS, costs)


async def measure_followers_of_one(http: aiohttp.ClientSession, port: int, rounds: int) -> Curve:
    """Measure runs in a session that more and more clients follow."""
    costs = []
    for count in FOLLOWERS:
        session = await opened_session(http, PLACES[0])

        async def run(session: str = session) -> None:
            await one_run(http, session, reads(1))

        streams = [("sse", f"/v1/sessions/{session}/events")] * count
        async with crowd(port, streams):
            costs.append(await _cost(count, run, rounds))
    return Curve("a run, followers of its session", FOLLOWERS, costs)


async def _cost(size: int, request: Request, rounds: int) -> float:
    [cost] = (await curve_of("", {size: request}, rounds, EACH)).costs
    return cost
