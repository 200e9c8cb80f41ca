"""What a person is shown of a turn: what was answered stays, what asks is previewed in its order."""

import pytest

from common.approvals.reviews import Preview
from common.errors import ToolError
from common.plans import TurnCall
from common.tools import ToolResult
from orchestrator.approvals.judging import Judgement
from orchestrator.approvals.paths import Touched
from orchestrator.approvals.previewing import Previewer
from orchestrator.approvals.reviewing import asked_anew, reviewed
from orchestrator.approvals.weighing import Weighed
from orchestrator.store.records import Review, ReviewedCall
from tests.orchestrator.builders import receipt

LABEL = "shown"


def weighed(n, state, path=b"x", answer="ask", effect="write", **entry):
    """Return a call that is left, of a file."""
    arguments = {"path": path.decode()}
    call = TurnCall(n=n, name=f"s{n}", tool="write_file", arguments=arguments, effect=effect)
    judgement = Judgement(answer, [Touched((path,))])
    known = None if answer == "later" else arguments
    return Weighed(call, known, judgement, ReviewedCall(n=n, state=state, **entry))


@pytest.fixture
def previewer():
    """Show each change, but for those of `broken`, which cannot be made."""

    async def dry_run(tool, arguments):
        if arguments["path"] == "broken":
            raise ToolError("text_not_found", "It is not there")
        output = {"sha256": "abc"} if tool == "get_file_info" else {"diff": LABEL}
        receipts = [receipt(arguments["path"], "hash")]
        return ToolResult(id="i", tool=tool, output=output, receipts=receipts, duration_ms=1.0)

    return Previewer(dry_run, "req_1")


async def test_only_what_asks_is_previewed(previewer):
    """A read has nothing to show, and what was approved keeps what was seen then."""
    calls = [
        weighed(1, "free", answer="make", effect="read"),
        weighed(2, "approved", b"a"),
        weighed(3, "asks", b"b"),
        weighed(4, "denied", b"c", answer="deny"),
        weighed(5, "deferred", answer="later"),
    ]
    review = await reviewed(3, calls, previewer, None)
    assert (review.t, review.asking) == (3, [3])
    assert [call.n for call in review.calls if call.preview is not None] == [3]
    everything = await reviewed(3, calls, previewer, None, shows_all=True)
    assert [call.n for call in everything.calls if call.preview is not None] == [2, 3]


async def test_call_that_cannot_be_made_asks_nobody_unless_somebody_has_edited_it(previewer):
    """Who has typed something wrong is told so, and can type again."""
    asks = weighed(1, "asks", b"broken"), weighed(
        1, "asks", b"broken", arguments={"path": "broken"}
    )
    for one, state in zip(asks, ("free", "asks"), strict=True):
        [call] = (await reviewed(1, [one], previewer, None)).calls
        assert (call.state, call.preview.error.code) == (state, "text_not_found")


async def test_call_that_was_shown_is_not_previewed_again_unless_it_depends_on_another_by_now(
    previewer,
):
    """A thousand calls wait, and somebody edits one: what else has changed, the receipts tell."""
    seen, other = Preview(diff="seen before"), Preview(depends_on_step=9)
    calls = [
        weighed(1, "asks", b"a", preview=seen),
        weighed(2, "asks", b"b", preview=other),
        weighed(3, "asks", b"a", preview=seen),
    ]
    review = (await reviewed(1, calls, previewer, None)).by_number
    assert [review[n].preview.diff for n in (1, 2, 3)] == ["seen before", LABEL, None]
    assert review[3].preview.depends_on_step == 1


async def test_call_depends_on_what_is_going_to_be_made_before_it(previewer):
    """On no call that is rejected, denied or wrong: that changes nothing."""
    calls = [
        weighed(1, "asks"),
        weighed(2, "rejected", b"y"),
        weighed(3, "denied", b"y", answer="deny"),
        weighed(4, "free", b"y", answer="fail"),
        weighed(5, "asks", b"y"),
        weighed(6, "asks"),
    ]
    review = (await reviewed(1, calls, previewer, None)).by_number
    assert [review[n].preview.depends_on_step for n in (1, 5, 6)] == [None, None, 1]
    assert (review[6].preview.diff, review[6].seen) == (None, {"x": "abc"})


async def test_calls_that_are_made_stay_as_they_were(previewer):
    """They are shown with what was said of them."""
    before = Review(t=1, calls=[ReviewedCall(n=1, state="approved", reason="fine")])
    review = await reviewed(1, [weighed(2, "asks")], previewer, before)
    assert [(call.n, call.state) for call in review.calls] == [(1, "approved"), (2, "asks")]


def test_approvals_of_what_is_left_lapse_and_no_other_word_does():
    """Who has rejected something has rejected it."""
    states = ("approved", "approved", "rejected", "free")
    shown = Preview(diff="seen before")
    calls = [ReviewedCall(n=n, state=state, preview=shown) for n, state in enumerate(states, 1)]
    lapsed = asked_anew(Review(t=1, calls=calls), left={2, 3, 4})
    assert [call.state for call in lapsed.calls] == ["approved", "asks", "rejected", "free"]
    assert [call.n for call in lapsed.calls if call.preview is None] == [2]
