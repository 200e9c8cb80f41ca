"""Which earlier change a call is about: found at once, and the same that comparing all pairs finds."""

import random

from orchestrator.approvals.dependence import EarlierChanges
from orchestrator.approvals.paths import EVERYTHING, Touched

SEED = 11
NAMES = (b"a", b"b", b"c")


def some_path(chance):
    """Return a path of up to three components, or a tree."""
    parts = tuple(chance.choice(NAMES) for _ in range(chance.randint(0, 3)))
    return Touched(parts, is_tree=not parts or chance.random() < 0.3)


def by_pairs(earlier, touched):
    """Compare each with each."""
    return max(
        (n for n, others in earlier if any(a.overlaps(b) for a in others for b in touched)),
        default=None,
    )


def test_last_overlapping_call_is_the_one_that_comparing_all_pairs_finds():
    """Most of the cases have one, and some have none: neither answer is always right."""
    chance, found = random.Random(SEED), []  # noqa: S311
    for _ in range(300):
        changes, earlier = EarlierChanges(), []
        for n in range(1, chance.randint(2, 6)):
            touched = [some_path(chance) for _ in range(chance.randint(1, 2))]
            found.append(changes.last_about(touched))
            assert found[-1] == by_pairs(earlier, touched)
            changes.add(n, touched)
            earlier.append((n, touched))
    assert None in found
    assert {1, 2, 3} <= set(found)


def test_call_that_touches_everything_is_about_each_change_and_each_about_it():
    """Nobody knows what its tool does."""
    changes = EarlierChanges()
    assert changes.last_about([EVERYTHING]) is None
    changes.add(1, [Touched((b"a",))])
    assert changes.last_about([EVERYTHING]) == 1
    changes.add(2, [EVERYTHING])
    assert changes.last_about([Touched((b"x", b"y"))]) == 2
