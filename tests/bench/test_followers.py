"""The bench of followers: deliveries are told by their middle and by their slowest."""

from bench.following.followers import delivered


def test_deliveries_are_each_beside_those_of_the_floor():
    """The slowest hundredth beside the floor's own."""
    taken = [float(number) for number in range(1, 101)]
    floor = delivered("bare", taken)
    lines = delivered("ours", [2 * one for one in taken], floor)
    assert [line.ratio for line in floor] == [None, None]
    assert [line.figure.median for line in lines] == [101, 200]
    assert [line.ratio.median for line in lines] == [2, 2]
