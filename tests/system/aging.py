"""Time that goes by for what waits, at once: nobody would bear it in a test."""

AGE = 40
"""Seconds of its life that a session is aged at once: more than half of the least there is, after which
it is kept anew."""
PREFIX = "agentic"


async def age(redis, session_id):
    """Let time go by for a session and for all that waits."""
    left = {key: await redis.pttl(key) for key in await redis.keys(f"{PREFIX}:{{{session_id}}}:*")}
    waiting = await redis.zrange(f"{PREFIX}:parked", 0, -1)
    async with redis.pipeline(transaction=True) as pipeline:
        for key, milliseconds in left.items():
            pipeline.pexpire(key, milliseconds - AGE * 1000)
        for stamp in ("kept", "listed"):
            pipeline.hincrby(f"{PREFIX}:{{{session_id}}}:session", stamp, -AGE * 1000)
        for member in waiting:
            pipeline.zincrby(f"{PREFIX}:parked", -AGE * 1000, member)
        await pipeline.execute()


async def is_young(redis, session_id, ttl):
    """Tell whether a session with all its keys was kept anew, and whoever does that is done with it."""
    seconds, _ = await redis.time()
    if await redis.zcount(f"{PREFIX}:parked", 0, seconds * 1000):
        return False
    keys = await redis.keys(f"{PREFIX}:{{{session_id}}}:*")
    return min([await redis.ttl(key) for key in keys]) >= ttl.total_seconds() - 5
