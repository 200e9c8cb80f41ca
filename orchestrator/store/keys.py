"""Every Redis key there is, made here and nowhere else.

A session's keys share the hash tag `{session id}`, so that one script can change them together on
Redis Cluster.
"""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Key names of one deployment."""

    prefix: str

    def session(self, session_id: str) -> str:
        """HASH: document, user, workspace, time it was made, TTL, active run, waiting runs, fence, last
        event's number, when its runs were last kept and up to which one, whether a client's key stands
        for it; its rules, those that were remembered, its revision.
        """
        return f"{self.prefix}:{{{session_id}}}:session"

    def events(self, session_id: str) -> str:
        """STREAM: the session's event log; an entry's id is `<seq>-0`."""
        return f"{self.prefix}:{{{session_id}}}:events"

    def runs(self, session_id: str) -> str:
        """ZSET: the session's runs; all scores are 0, run ids sort by their time."""
        return f"{self.prefix}:{{{session_id}}}:runs"

    def run(self, session_id: str, run_id: str) -> str:
        """HASH: document, status, owner, fence, marks of the last writes, lease deadline, ms under leases
        (spent) and start of the present one (since), cancel flag, attempts, revision, bytes stored,
        key of its idempotency, number of its first event, times, ending; what it has used of a model, has
        reserved and has lost (spending.py); how often its planner began to speak (sayings); how many
        messages it was sent, and for each what it stood for (`sent:…`); the revision of the plan that
        waits, for each one that was answered what was said (`answered:…`), until when it waits
        (answer_by) and for how long, ms (patience).
        """
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}"

    def turns(self, session_id: str, run_id: str) -> str:
        """HASH: number of a turn → its JSON."""
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}:turns"

    def text(self, session_id: str, run_id: str) -> str:
        """STRING: what the run's planner is saying, until that is a turn."""
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}:text"

    def inbox(self, session_id: str, run_id: str) -> str:
        """LIST: what people have sent to the run and no turn of it has kept yet, as JSON."""
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}:inbox"

    def reviews(self, session_id: str, run_id: str) -> str:
        """HASH: number of a turn → what people are shown of it, and what they have said, as JSON."""
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}:reviews"

    def steps(self, session_id: str, run_id: str) -> str:
        """HASH: number of a step → its JSON, without what its turn says of it."""
        return f"{self.prefix}:{{{session_id}}}:run:{run_id}:steps"

    def text_channel(self, session_id: str) -> str:
        """PUBSUB: each piece that a planner of the session says, in JSON: `run_id`, `time` in ms, and
        `data` as the event `text.delta` has it.
        """
        return f"{self.prefix}:{{{session_id}}}:text"

    def deleted(self, session_id: str) -> str:
        """STRING: there was a session of this id, and it does not come again."""
        return f"{self.prefix}:{{{session_id}}}:deleted"

    def noted(self, session_id: str, call_id: str) -> str:
        """STRING: nothing; a call that no run made is in the session's log. Expires within a minute."""
        return f"{self.prefix}:{{{session_id}}}:noted:{_digest(call_id)}"

    def written(self, session_id: str) -> str:
        """STRING: nothing; its write is what the replicas are asked about. Expires at once."""
        return f"{self.prefix}:{{{session_id}}}:written"

    def run_idempotency(self, session_id: str, key: str) -> str:
        """STRING: run id and body digest of the request that first used the key."""
        return f"{self.prefix}:{{{session_id}}}:idem:{_digest(key)}"

    def session_idempotency(self, user_id: str, key: str) -> str:
        """STRING: session id and body digest of the request that first used the key."""
        return f"{self.prefix}:user:{{{user_id}}}:idem:{_digest(key)}"

    def user_sessions(self, user_id: str) -> str:
        """ZSET: the user's sessions; all scores are 0, session ids sort by their time."""
        return f"{self.prefix}:user:{{{user_id}}}:sessions"

    def rules(self, user_id: str) -> str:
        """HASH: the user's rules as JSON, and their revision. It never expires: a denial that did would
        be a permission.
        """
        return f"{self.prefix}:user:{{{user_id}}}:rules"

    def limit(self, user_id: str, name: str) -> str:
        """What a limit counts of a user; for `streams` a ZSET: open stream → when it lapses, ms; for
        others a STRING: when the user will have as much to spend as ever, µs.
        """
        return f"{self.prefix}:user:{{{user_id}}}:limit:{name}"

    def ready(self, user_id: str) -> str:
        """ZSET: the user's runs that could start, by when they were asked for, ms."""
        return f"{self.prefix}:user:{{{user_id}}}:ready"

    def woken(self, user_id: str) -> str:
        """ZSET: those of them that have a wake-up in the stream → since when, ms."""
        return f"{self.prefix}:user:{{{user_id}}}:woken"

    def places(self, user_id: str) -> str:
        """ZSET: the user's runs that go on → deadline of the lease, ms; kept a lease longer."""
        return f"{self.prefix}:user:{{{user_id}}}:running"

    @property
    def running(self) -> str:
        """ZSET: `<user>/<session>/<run>` → deadline of its owner, ms. Like the next two only a hint."""
        return f"{self.prefix}:running"

    @property
    def queued(self) -> str:
        """ZSET: runs that could start → when workers were told of them, or will have been, ms."""
        return f"{self.prefix}:queued"

    @property
    def parked(self) -> str:
        """ZSET: every unfinished run → when its session has to be kept from expiring, or its person has
        to have answered, ms.
        """
        return f"{self.prefix}:parked"

    @property
    def legacy_index(self) -> str:
        """ZSET: `<session>/<run>`: the one index of format 2, until the reaper has emptied it."""
        return f"{self.prefix}:leases"

    @property
    def format(self) -> str:
        """STRING: the number of the data's format; beside the rules of users what stays for ever."""
        return f"{self.prefix}:format"

    @property
    def probe(self) -> str:
        """STRING: nothing; written to see whether the store takes writes. Expires at once."""
        return f"{self.prefix}:probe"

    @property
    def queue(self) -> str:
        """STREAM: wake-ups for workers."""
        return f"{self.prefix}:queue"

    @property
    def channel(self) -> str:
        """PUBSUB: `event <session>` and `cancel <run>`, both notifications only."""
        return f"{self.prefix}:hints"


def message_field(key: str) -> str:
    """Name the field of a run's hash that tells of a message sent with this key."""
    return f"sent:{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
