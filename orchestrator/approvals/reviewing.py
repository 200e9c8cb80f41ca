"""Makes the review of a turn: what a person is shown of each call, before anything of it is done."""

from collections.abc import Container, Iterable, Sequence

from orchestrator.approvals.dependence import EarlierChanges
from orchestrator.approvals.previewing import Change, Previewer, Seen
from orchestrator.approvals.weighing import Weighed
from orchestrator.store.records import Review, ReviewedCall


async def reviewed(
    t: int,
    calls: Sequence[Weighed],
    previewer: Previewer,
    before: Review | None,
    *,
    shows_all: bool = False,
) -> Review:
    """Return the review of turn `t`, of which `calls` are left; with `shows_all` each change is previewed.

    What a person has approved keeps the preview that they saw, and so does what asks and was shown, unless
    it depends on another call by now. Of `before` the calls that are made stay as they were.
    """
    changes = list(_to_preview(calls, shows_all))
    seen = await previewer.previews(changes)
    left = {one.call.n for one in calls}
    made = [] if before is None else [call for call in before.calls if call.n not in left]
    now = [_entry(one, seen.get(one.call.n)) for one in calls]
    return Review(t=t, calls=sorted((*made, *now), key=lambda call: call.n))


def asked_anew(review: Review, left: Container[int]) -> Review:
    """Return a review whose approvals have lapsed for calls that are `left`: the files are others by now."""
    calls = [
        (
            call.model_copy(update={"state": "asks", "preview": None})
            if call.n in left and call.state == "approved"
            else call
        )
        for call in review.calls
    ]
    return review.model_copy(update={"calls": calls})


def _to_preview(calls: Iterable[Weighed], shows_all: bool) -> Iterable[Change]:
    """Yield the changes that have to be shown; what they depend on is told by all that go before."""
    earlier = EarlierChanges()
    for one in calls:
        if not one.changes:
            continue
        touched, n = one.judgement.touched, one.call.n
        depends_on = earlier.last_about(touched)
        is_shown = shows_all or (one.state == "asks" and not _is_seen(one.reviewed, depends_on))
        if one.arguments is not None and is_shown:
            yield Change(n, one.call.tool, one.arguments, touched, depends_on)
        earlier.add(n, touched)


def _is_seen(entry: ReviewedCall, depends_on: int | None) -> bool:
    """Tell whether a call was shown as it would be shown now; what has changed since, its receipts tell."""
    preview = entry.preview
    return preview is not None and preview.error is None and preview.depends_on_step == depends_on


def _entry(one: Weighed, seen: Seen | None) -> ReviewedCall:
    """Return a call's entry; nobody is asked about one that cannot be made, unless it was edited."""
    entry = one.reviewed
    if seen is None:
        return entry
    shown = entry.model_copy(update={"preview": seen.preview, "seen": seen.hashes})
    if seen.preview.error is None or entry.arguments is not None:
        return shown
    return shown.model_copy(update={"state": "free"})
