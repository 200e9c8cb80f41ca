"""A person in the loop: nothing of a turn is done before its answer, and then what was approved, once."""

import hashlib

import pytest

from common.approvals.rules import Rule
from common.errors import SystemFault
from common.runs import Budget
from common.sessions import SessionPatch
from orchestrator.engine import gate
from orchestrator.engine.signals import Signals
from orchestrator.planners.plan.planner import PlanPlanner
from orchestrator.store.backend import StoreConfig
from orchestrator.store.store import make_store
from tests.orchestrator.builders import expire_lease
from tests.orchestrator.engine.world import LostError, World, plan_of
from tests.orchestrator.fakes import broken_inside

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture
def world(store, redis, leased, files):
    """Start a plan, which asks as `approval` says; its workspace has what is given."""

    async def begin(*steps, approval="writes", present=None, **asked):
        plan = plan_of(*((*step, {})[:4] for step in steps))
        lease = await leased(planner="plan", goal=None, plan=plan, approval=approval, **asked)
        given = World(store, redis, files, PlanPlanner(), lease)
        for path, content in (present or {}).items():
            (given.files / path).parent.mkdir(parents=True, exist_ok=True)
            (given.files / path).write_text(content)
        return given

    return begin


def write(name, path, content="new\n", mode="upsert"):
    """Return a step that writes a file."""
    return name, "write_file", {"path": path, "content": content, "mode": mode}


def edit(name, path, old, new):
    """Return a step that edits a file."""
    return name, "edit_file", {"path": path, "edits": [{"old_text": old, "new_text": new}]}


READ = ("read", "read_file", {"path": "x"})
HAS_X = {"x": "old\n"}


def states(review):
    """Return what becomes of each call."""
    return [call.state for call in review.calls]


async def test_nothing_of_a_turn_is_done_before_its_answer(world, files):
    """Its reads neither: what they show may be what the person is asked about."""
    one = await world(READ, write("write", "x"), present=HAS_X)
    run = await one.go()
    assert (run.status, run.plan_revision, run.steps, files.calls) == (
        "awaiting_approval", 1, [], [],
    )  # fmt: skip
    review = await one.review()
    assert states(review) == ["free", "asks"]
    preview = review.calls[1].preview
    assert "-old" in preview.diff
    assert [(made.path, made.created) for made in preview.receipts] == [("x", False)]
    assert (one.files / "x").read_text() == "old\n"
    assert (await one.events())[-1] == "run.awaiting_approval"


@pytest.fixture
def away_at_first(files, monkeypatch):
    """Keep the tools from a worker that decides: it has just started, and nobody answers."""
    known, faults = files.tools, [SystemFault("unavailable", "away")]

    async def tools():
        if faults:
            raise faults.pop()
        return await known()

    monkeypatch.setattr(files, "tools", tools)


@pytest.mark.usefixtures("away_at_first")
async def test_read_that_was_decided_when_no_tools_were_known_asks_nobody(world, files):
    """At the gate they are known: it is no change."""
    one = await world(READ, write("write", "x"), present=HAS_X)
    await one.go()
    decided = (await one.store.reviews.get(*one.ids)).turn.calls
    assert [call.effect for call in decided] == ["write", "write"]
    assert states(await one.review()) == ["free", "asks"]
    await one.approve()
    assert (await one.go()).status == "succeeded"
    assert [call.context.access for call in files.calls] == ["read_only", "read_write"]


@pytest.mark.usefixtures("away_at_first")
async def test_read_that_was_decided_when_no_tools_were_known_asks_as_a_read_does(world, files):
    """A run that may only read is asked about no change, but about reads that a rule wants to be asked."""
    one = await world(READ, access="read_only", present=HAS_X)
    await one.store.rules.replace("ann", [Rule(path="x", effect="ask")], None)
    assert (await one.go()).status == "awaiting_approval"
    assert (states(await one.review()), files.calls) == (["asks"], [])


async def test_what_was_approved_is_done_once(world, files):
    """By whoever takes the run up: the call carries what was shown."""
    one = await world(READ, write("write", "x"), present=HAS_X)
    await one.go()
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("succeeded", "new\n")
    assert [(call.tool, call.context.access) for call in files.calls] == [
        ("read_file", "read_only"),
        ("write_file", "read_write"),
    ]
    assert [made.path for made in files.calls[1].expected] == ["x"]
    # what was approved can still be seen, whatever the run has decided since
    assert states(await one.review()) == ["free", "approved"]


@pytest.mark.parametrize(("on_error", "status"), [("stop", "failed"), ("continue", "succeeded")])
async def test_what_was_rejected_is_never_done(world, files, on_error, status):
    """The step says why; what the run does about that is its plan's business."""
    one = await world((*write("first", "x"), {"on_error": on_error}), write("second", "y"))
    await one.go()
    await one.say(first="rejected", second="approved")
    run = await one.go()
    assert (run.status, run.steps[0].error.code) == (status, "rejected")
    assert "no, thanks" in run.steps[0].error.detail
    assert not (one.files / "x").exists()
    assert (one.files / "y").exists() == (on_error == "continue")
    assert len(files.calls) == (1 if on_error == "continue" else 0)


async def test_part_of_an_answer_leaves_the_run_waiting(world, files):
    """Nothing is done until the last call has its answer."""
    one = await world(write("first", "x"), write("second", "y"))
    await one.go()
    await one.say(first="approved")
    run = await one.run()
    assert (run.status, run.plan_revision, files.calls) == ("awaiting_approval", 2, [])
    await one.say(second="approved")
    assert (await one.go()).status == "succeeded"


async def test_edited_arguments_are_what_is_done(world, files):
    """The turn stays as it was decided: the step says what was made of it."""
    one = await world(write("write", "x"))
    await one.go()
    await one.edit(1, path="x", content="edited\n", mode="upsert")
    files_seen = (await one.review()).calls[0]
    assert files_seen.arguments["content"] == "edited\n"
    await one.approve()
    run = await one.go()
    # what was shown is not what is done with them: it is asked once more, and then done
    assert run.status == "awaiting_approval"
    assert "+edited" in (await one.review()).calls[0].preview.diff
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("succeeded", "edited\n")
    assert run.steps[0].arguments["content"] == "edited\n"


@pytest.mark.parametrize("present", [HAS_X, {}])
async def test_file_that_changed_since_is_not_overwritten(world, files, present):
    """Nor one that came since: what is left of the turn is shown and asked about again."""
    one = await world(write("first", "x"), write("second", "y"), present=present)
    await one.go()
    await one.approve()
    (one.files / "x").write_text("somebody's\n")
    run = await one.go()
    assert (run.status, run.plan_revision) == ("awaiting_approval", 3)
    assert (one.files / "x").read_text() == "somebody's\n"
    assert [step.status for step in run.steps] == ["pending"]
    review = await one.review()
    assert states(review) == ["asks", "asks"]
    assert "-somebody's" in review.calls[0].preview.diff
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("succeeded", "new\n")
    assert [call.id.split(":", 1)[1] for call in files.calls] == ["1:1", "1:2", "2:1"]


async def test_call_that_nobody_can_be_shown_again_has_failed_and_is_not_left_under_way(
    world, files
):
    """The fault is the run's end, and nothing of the call has happened."""
    one = await world(write("write", "x"), present=HAS_X)
    await one.go()
    await one.approve()
    (one.files / "x").write_text("somebody's\n")

    def fail():
        raise broken_inside()

    files.before["look", "write_file"] = fail
    run = await one.go()
    [step] = run.steps
    assert (run.status, run.error.code) == ("failed", "internal")
    assert (step.status, step.error.code, step.error.outcome) == (
        "failed", "internal", "not_executed",
    )  # fmt: skip
    assert (one.files / "x").read_text() == "somebody's\n"


async def test_call_that_depends_on_an_earlier_one_is_shown_as_such_and_pinned_when_it_is_reached(
    world, files
):
    """Nobody can show a diff of what is not there yet."""
    one = await world(write("write", "x", "a\n"), edit("edit", "x", "a", "b"), present=HAS_X)
    await one.go()
    [first, second] = (await one.review()).calls
    assert (first.preview.depends_on_step, second.preview.depends_on_step) == (None, 1)
    assert second.preview.diff is None
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("succeeded", "b\n")
    assert files.calls[1].expected[0].sha256_before == run.steps[0].receipts[0].sha256_after


async def test_call_that_depends_on_another_is_asked_about_again_when_somebody_came_between(
    world, files
):
    """It was approved to follow its predecessor, and nothing else."""
    one = await world(write("write", "x", "one\n"), edit("edit", "x", "one", "b"), present=HAS_X)
    await one.go()
    await one.approve()
    files.after["1:1"] = lambda: (one.files / "x").write_text("one, and somebody's\n")
    run = await one.go()
    assert (run.status, [step.status for step in run.steps]) == (
        "awaiting_approval",
        ["succeeded"],
    )
    review = await one.review()
    assert states(review) == ["approved", "asks"]
    assert "somebody's" in review.calls[1].preview.diff
    assert (one.files / "x").read_text() == "one, and somebody's\n"
    await one.approve()
    assert (await one.go()).status == "succeeded"
    assert (one.files / "x").read_text() == "b, and somebody's\n"


async def test_copy_that_depends_on_another_call_brings_only_what_was_seen(world):
    """No receipt of a copy is about its source."""
    copied = {"source": "x", "destination": "y", "overwrite": True}
    one = await world(write("write", "y"), ("copy", "copy_path", copied), present=HAS_X)
    await one.go()
    (one.files / "x").write_text("unseen\n")
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "y").read_text()) == ("awaiting_approval", "new\n")
    [receipt] = (await one.review()).calls[1].preview.receipts
    assert receipt.sha256_after == hashlib.sha256(b"unseen\n").hexdigest()
    await one.approve()
    assert ((await one.go()).status, (one.files / "y").read_text()) == ("succeeded", "unseen\n")


async def test_call_whose_predecessor_was_rejected_is_asked_about_again(world):
    """What it would do without that nobody has seen."""
    one = await world(
        (*write("write", "x", "a\n"), {"on_error": "continue"}),
        edit("edit", "x", "old", "b"),
        present=HAS_X,
    )
    await one.go()
    await one.say(write="rejected", edit="approved")
    run = await one.go()
    assert run.status == "awaiting_approval"
    assert "+b" in (await one.review()).calls[1].preview.diff
    assert (one.files / "x").read_text() == "old\n"


async def test_call_whose_references_are_not_there_yet_asks_when_it_is_reached(world, files):
    """What it would do is not known before."""
    copied = {"path": "y", "content": {"$from": "read/output/content"}}
    one = await world(READ, ("copy", "write_file", copied), present=HAS_X)
    run = await one.go()
    assert (run.status, len(run.steps), len(files.calls)) == ("awaiting_approval", 1, 1)
    review = await one.review()
    assert states(review) == ["asks"]
    assert "+old" in review.calls[0].preview.diff
    await one.approve()
    run = await one.go()
    assert (run.status, (one.files / "y").read_text()) == ("succeeded", "old\n")


async def test_turn_asks_for_what_is_known_and_again_for_what_was_deferred(world):
    """Both are answered before they are done."""
    copied = {"path": "y", "content": {"$from": "first/receipts/0/path"}}
    one = await world(write("first", "x"), ("second", "write_file", copied), write("third", "z"))
    await one.go()
    assert states(await one.review()) == ["asks", "deferred", "asks"]
    await one.approve()
    run = await one.go()
    assert (run.status, len(run.steps)) == ("awaiting_approval", 1)
    assert states(await one.review()) == ["approved", "asks", "approved"]
    await one.approve()
    assert (await one.go()).status == "succeeded"
    assert (one.files / "y").read_text() == "x"


async def test_rules_decide_before_a_person_is_asked(world, store, files):
    """What is allowed asks nobody, and what is denied is not done, whatever anybody answers."""
    rules = [
        Rule(path="docs/**", effect="allow"),
        Rule(path="secrets", effect="deny"),
    ]
    await store.rules.replace("ann", rules, None)
    denied = (*write("denied", "./secrets//k"), {"on_error": "continue"})
    one = await world(write("allowed", "docs/a"), denied, approval="always")
    run = await one.go()
    assert (run.status, (one.files / "docs/a").read_text()) == ("succeeded", "new\n")
    assert (run.steps[1].error.code, len(files.calls)) == ("denied_by_rule", 1)
    await store.rules.replace("ann", [], None)


async def test_denial_that_came_after_the_approval_counts(world, store, files):
    """Rules are read when the turn goes on."""
    one = await world(write("write", "x"))
    await one.go()
    await one.approve()
    await store.rules.replace("ann", [Rule(path="x", effect="deny")], None)
    run = await one.go()
    assert (run.status, run.error.code, files.calls) == ("failed", "denied_by_rule", [])
    await store.rules.replace("ann", [], None)


@pytest.fixture
def watchful(monkeypatch):
    """Have the rules looked at before each call."""
    monkeypatch.setattr(gate, "FRESH", 0.0)


@pytest.mark.usefixtures("watchful")
async def test_denial_that_comes_while_a_turn_is_made_holds_from_the_next_call_on(
    world, store, files
):
    """Also where nothing had asked, and nothing was denied, as the turn began."""
    one = await world(*(write(name, name) for name in "abc"), approval="never")
    denial = [Rule(path="[bc]", effect="deny")]
    files.after["1:1"] = lambda: store.rules.replace("ann", denial, None)
    run = await one.go()
    assert (run.status, run.error.code, len(files.calls)) == ("failed", "denied_by_rule", 1)
    assert (one.files / "a").exists()
    await store.rules.replace("ann", [], None)


@pytest.mark.usefixtures("watchful")
async def test_denial_that_comes_while_a_turn_is_previewed_holds_for_its_first_call(
    world, store, files
):
    """The gate has read the rules by then, and may wait for long."""
    allowed = [Rule(path="a", effect="allow")]
    await store.rules.replace("ann", allowed, None)
    # what cannot be made is previewed, and asks nobody
    one = await world(write("a", "a"), edit("b", "x", "nowhere", "b"), present=HAS_X)
    denial = [Rule(path="a", effect="deny")]
    files.before["look", "edit_file"] = lambda: store.rules.replace("ann", denial, None)
    run = await one.go()
    assert (run.status, run.error.code, files.calls) == ("failed", "denied_by_rule", [])
    await store.rules.replace("ann", [], None)


@pytest.mark.usefixtures("watchful")
async def test_denial_that_comes_while_a_call_is_pinned_holds_for_it(world, store, files):
    """What it would do is looked up before it is sent, and that may take long."""
    one = await world(write("write", "x", "a\n"), edit("edit", "x", "a", "b"), present=HAS_X)
    await one.go()
    await one.approve()
    denial = [Rule(tool="edit_file", effect="deny")]
    files.before["look", "edit_file"] = lambda: store.rules.replace("ann", denial, None)
    run = await one.go()
    assert (run.status, run.error.code) == ("failed", "denied_by_rule")
    assert (one.files / "x").read_text() == "a\n"
    await store.rules.replace("ann", [], None)


@pytest.mark.usefixtures("watchful")
async def test_rule_of_the_session_that_comes_while_a_turn_is_made_asks_from_then_on(
    world, store, files
):
    """What is done stays done."""
    one = await world(*(write(name, name) for name in "abc"), approval="never")
    patch = SessionPatch(rules=[Rule(path="c", effect="ask")])
    session = await store.sessions.get(one.ids[0], "ann")
    files.after["1:1"] = lambda: store.session_changes.patch(session, patch, None)
    run = await one.go()
    assert (run.status, len(files.calls)) == ("awaiting_approval", 1)
    assert [call.state for call in (await one.review()).calls] == ["free", "asks"]
    await one.approve()
    assert ((await one.go()).status, len(files.calls)) == ("succeeded", 3)


async def test_call_that_cannot_be_made_asks_nobody_and_changes_nothing_later_either(world, files):
    """It fails with its own error; where it could be made by then, somebody is asked."""
    failing = edit("edit", "x", "nowhere", "b")
    one = await world((*failing, {"on_error": "continue"}), present=HAS_X)
    run = await one.go()
    assert (run.status, run.steps[0].error.code) == ("succeeded", "text_not_found")
    two = await world(failing, present=HAS_X)
    files.before["1:1"] = lambda: (two.files / "x").write_text("nowhere\n")
    run = await two.go()
    assert (run.status, (two.files / "x").read_text()) == ("awaiting_approval", "nowhere\n")
    assert "+b" in (await two.review()).calls[0].preview.diff
    await two.approve()
    assert ((await two.go()).status, (two.files / "x").read_text()) == ("succeeded", "b\n")


@pytest.mark.parametrize(
    ("approval", "asking"),
    [
        ("never", None),
        ("writes", ["free", "asks"]),
        ("always", ["asks"] * 2),
        ("plan", ["asks"] * 2),
    ],
)
async def test_policy_says_what_asks(world, approval, asking):
    """Nothing, what changes something, everything, or the first turn as a whole."""
    one = await world(READ, write("write", "x"), approval=approval, present=HAS_X)
    run = await one.go()
    if asking is None:
        assert run.status == "succeeded"
    else:
        assert (run.status, states(await one.review())) == ("awaiting_approval", asking)


async def test_run_that_may_only_read_asks_nobody_and_changes_nothing(world):
    """The execution environment refuses its changes itself."""
    one = await world(READ, write("write", "x"), access="read_only", present=HAS_X)
    run = await one.go()
    assert (run.status, run.error.code) == ("failed", "permission_denied")
    assert (one.files / "x").read_text() == "old\n"


async def test_worker_that_is_lost_after_the_approved_call_leaves_it_done_once(world, files, redis):
    """The next one sends the very same call: it is answered with what it did."""
    one = await world(write("write", "x"), present=HAS_X)
    await one.go()
    await one.approve()

    def lose():
        raise LostError

    files.after["1:1"] = lose
    await one.go()
    (one.files / "x").write_text("somebody's, later\n")
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("succeeded", "somebody's, later\n")
    [first, second] = files.calls
    assert first.expected == second.expected
    assert first.id == second.id


async def test_worker_that_is_lost_before_the_approved_call_overwrites_nothing(world, files):
    """It is sent again with what was approved: in the meantime somebody has come."""
    one = await world(write("write", "x"), present=HAS_X)
    await one.go()
    await one.approve()

    def lose():
        raise LostError

    files.before["1:1"] = lose
    await one.go()
    (one.files / "x").write_text("somebody's\n")
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("awaiting_approval", "somebody's\n")
    await one.approve()
    assert ((await one.go()).status, (one.files / "x").read_text()) == ("succeeded", "new\n")
    assert [call.id.split(":", 1)[1] for call in files.calls] == ["1:1", "1:1", "1:2"]


async def test_worker_that_is_lost_before_a_call_that_depends_on_another_overwrites_nothing(
    world, files
):
    """What that call may find is stored before it is sent."""
    one = await world(write("write", "x", "one\n"), edit("edit", "x", "one", "b"), present=HAS_X)
    await one.go()
    await one.approve()

    def lose():
        raise LostError

    files.before["2:1"] = lose
    await one.go()
    (one.files / "x").write_text("one, and somebody's\n")
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == (
        "awaiting_approval", "one, and somebody's\n",
    )  # fmt: skip


async def test_call_that_nobody_was_asked_about_stays_without_effect_when_its_worker_is_lost(
    world, files
):
    """Its preview had failed: sent again, it may still change nothing."""
    one = await world(edit("edit", "x", "nowhere", "b"), present=HAS_X)

    def lose():
        raise LostError

    files.before["1:1"] = lose
    await one.go()
    (one.files / "x").write_text("nowhere\n")
    run = await one.go()
    assert (run.status, (one.files / "x").read_text()) == ("awaiting_approval", "nowhere\n")


async def test_run_that_is_cancelled_while_it_is_previewed_ends_so(world, files):
    """Nothing was sent by then."""
    signals = Signals()
    one = await world(write("write", "x"), write("more", "y"))
    files.before["look", "write_file"] = signals.cancelled.set
    run = await one.go(signals)
    assert (run.status, files.calls) == ("cancelled", [])


async def test_turn_beyond_the_budget_asks_nobody(world, files):
    """It does nothing, whatever the answer would be."""
    one = await world(write("a", "x"), write("b", "y"), budget=Budget(steps=1))
    run = await one.go()
    assert (run.status, run.error.code, files.looks) == ("failed", "budget_exceeded", [])


async def test_review_that_is_too_large_goes_without_its_diffs(world, redis, files, leased):
    """A person still sees the arguments, and what each call does to which file."""
    one = await world(write("a", "x", "line\n" * 2000), present={"x": "other\n" * 2000})
    one.store = make_store(redis, "test", StoreConfig(max_run_output=20_000))
    run = await one.go()
    assert run.status == "awaiting_approval"
    [call] = (await one.review()).calls
    assert (call.preview.diff, len(call.preview.receipts)) == (None, 1)
    await one.say(a="rejected")
    assert (await one.go()).error.code == "rejected"


async def test_run_that_waits_is_left_alone_by_other_wakeups(world, store, redis):
    """It holds no worker, no lease and no place."""
    one = await world(write("write", "x"))
    await one.go()
    assert await store.leases.acquire(*one.ids, "another") is None
    assert await redis.zcard("test:user:{ann}:running") == 0


async def test_worker_that_is_lost_before_it_asks_asks_once(world, files, redis):
    """What nobody has stored nobody was shown."""
    one = await world(write("write", "x"))
    lease = one.lease

    def lose():
        raise LostError

    files.before["look", "write_file"] = lose
    await one.go()
    assert (await one.run()).status == "running"
    run = await one.go()
    assert (run.status, run.plan_revision) == ("awaiting_approval", 1)
    await expire_lease(redis, lease)
    assert (await one.events()).count("run.awaiting_approval") == 1
