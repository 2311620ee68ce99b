"""Which contrasts a picture for quality control shows."""

from pipeline_lib.imaging.pictures import pictured


def test_a_few_contrasts_are_all_drawn():
    assert pictured(["b", "a", "c"]) == ["b", "a", "c"]
    assert pictured({}) == []


def test_of_hundreds_six_are_drawn_the_first_and_the_last_among_them():
    names = [f"c{number}" for number in range(201)]
    assert pictured(names) == ["c0", "c40", "c80", "c120", "c160", "c200"]
    assert len(set(pictured(names[:7]))) == 6
