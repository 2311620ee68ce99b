"""The order of samples: listed where it is short, computed where it is long."""

import numpy as np
import pytest

from pipeline_lib.slices import shuffled
from pipeline_lib.slices.shuffled import permuted, place_in_order


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64, 1000, 4097])
def test_every_place_has_its_own_image(count):
    keys = np.random.default_rng(0).integers(2**64, size=6, dtype=np.uint64).tolist()
    assert sorted(permuted(place, count, keys) for place in range(count)) == list(range(count))


def test_a_long_order_is_as_good_as_drawn(monkeypatch):
    monkeypatch.setattr(shuffled, "LISTED", 10)
    first, second = (
        np.array([place_in_order(number, 2000, 1) for number in range(start, start + 2000)])
        for start in (0, 2000)
    )
    assert sorted(first) == sorted(second) == list(range(2000))
    for other in (np.arange(2000), second):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.1  # 4.5 SD of a random order
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.1
    assert (first == np.arange(2000)).sum() < 8  # one is expected


def test_a_short_order_is_that_of_numpy():
    expected = np.random.default_rng([3, 1, 0]).permutation(50)
    assert [place_in_order(50 + place, 50, 3) for place in range(50)] == expected.tolist()


def test_nothing_is_listed_of_a_billion_items():
    assert 0 <= place_in_order(123_456_789, 10**9, 0) < 10**9
    assert shuffled._order.cache_info().currsize <= 2
