"""What is kept of what planners say, for listeners who are a little behind."""

from types import SimpleNamespace

from orchestrator.streaming.spoken import PIECES, SIZE, Spoken


def piece(text="x"):
    """Return what stands for a frame."""
    return SimpleNamespace(json=text)


def test_spoken_pieces_come_to_each_listener_once_and_in_order():
    """A listener keeps a number only."""
    spoken = Spoken()
    first, second = piece("a"), piece("b")
    spoken.add(first)
    assert list(spoken.after(0)) == [first]
    heard = spoken.count
    assert list(spoken.after(heard)) == []
    spoken.add(second)
    assert list(spoken.after(heard)) == [second]
    assert list(spoken.after(0)) == [first, second]


def test_spoken_pieces_are_dropped_for_a_listener_who_is_far_behind():
    """It reads the text so far instead: what is held here is bounded, in number and in size."""
    many, long = Spoken(), Spoken()
    for _ in range(PIECES + 36):
        many.add(piece())
    assert len(many.after(0)) == len(many.after(30)) == PIECES
    assert len(many.after(90)) == 10
    for _ in range(5):
        long.add(piece("x" * (SIZE // 2)))
    assert len(long.after(0)) == 2
    long.add(piece("x" * (2 * SIZE)))
    assert len(long.after(0)) == 1
