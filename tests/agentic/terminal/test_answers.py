"""What is said of a turn's calls, on its way: few requests, each under the next revision."""

from agentic.terminal.answers import Said, send_answers
from common.approvals.reviews import Remember, TurnPlan
from common.ids import new_id


class Client:
    """Notes what is sent to it."""

    def __init__(self):
        self.sent = []

    async def approve(self, *ids, **said):
        """Take an approval."""
        self.sent.append(("approve", said["plan_revision"], said["steps"]))

    async def reject(self, *ids, **said):
        """Take a rejection."""
        self.sent.append(("reject", said["plan_revision"], said["steps"]))


def plan():
    """Return a turn that waits, under revision 5."""
    ids = {"run_id": new_id("run"), "session_id": new_id("ses")}
    return TurnPlan(**ids, t=1, plan_revision=5, is_waiting=True, calls=[])


async def test_what_is_said_alike_goes_together():
    """In the order of the steps, rejections before approvals."""
    client = Client()
    said = {3: Said("approve"), 1: Said("approve"), 2: Said("reject", "no"), 4: Said("reject")}
    await send_answers(client, plan(), said)
    assert client.sent == [("reject", 5, [2]), ("reject", 6, [4]), ("approve", 7, [1, 3])]


async def test_what_is_remembered_goes_last():
    """After what is rejected and what is approved: who is interrupted has allowed the least of it."""
    client, remember = Client(), Remember(tool="read_file")
    said = {1: Said("approve", remember=remember), 2: Said("approve"), 3: Said("reject")}
    await send_answers(client, plan(), said)
    assert client.sent == [("reject", 5, [3]), ("approve", 6, [2]), ("approve", 7, [1])]
