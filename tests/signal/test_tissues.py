import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.tissues import tissues_at


def test_no_tissue_has_a_shorter_t1_at_3_tesla():
    low, high = tissues_at(1.5), tissues_at(3)
    assert low.keys() == high.keys()
    assert all(high[name].t1 >= low[name].t1 for name in low)


def test_every_tissue_is_physical():
    for tissue in tissues_at(3).values():
        assert 0 < tissue.pd <= 1
        assert 0 < tissue.t2 < tissue.t1 < 10


def test_an_unknown_field_strength_is_refused():
    with pytest.raises(InputError, match=r"set field_strength to 1\.5 or 3"):
        tissues_at(7)
