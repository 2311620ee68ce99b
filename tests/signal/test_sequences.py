import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence

TRAIN = {"sequence": "FSE", "te": 0.1, "tr": 4.5, "te_last": 0.16, "echoes": 16}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"te": 75, "tr": 4.5}, "te is 75 s, .* milliseconds: write 0.075"),
        ({"te": 0.075, "tr": 4500}, "tr is 4500 s, .* write 4.5"),
        ({"te": -0.1, "tr": 1.0}, "must be a positive time"),
        ({"te": float("nan"), "tr": 1.0}, "must be a positive time"),
        ({"tr": 1.0}, "te not given"),
        ({"te": 0.01, "tr": 1.0, "sequence": "GRE"}, "one of SE, FSE, IR-SE, IR-FSE"),
        ({"te": 0.01, "tr": 1.0, "sequence": "IR-SE"}, "needs an inversion time"),
        ({"te": 0.01, "tr": 1.0, "ti": 0.2, "sequence": "SE"}, "has no inversion time"),
        ({"te": 0.1, "tr": 4.0, "te_last": 0.05, "sequence": "FSE"}, "no shorter than te"),
        ({"te": 0.1, "tr": 0.09}, "shorter than what it must hold"),
        ({"te": 0.1, "tr": 2.0, "ti": 2.5, "sequence": "IR-SE"}, "shorter than what it must hold"),
        ({"te": 0.1, "tr": 2.0, "sequence": "SE", "echoes": 8}, "echoes belongs to FSE"),
        ({"te": 0.1, "tr": 2.0, "refocusing": 150}, "refocusing belongs to FSE"),
        ({**TRAIN, "te": 0.095}, "an echo of this train comes every 0.01 s .* multiple of it"),
        ({**TRAIN, "te": 0.001}, "make te a multiple"),
        ({**TRAIN, "echoes": 0}, "whole number of echoes"),
        ({**TRAIN, "echoes": 15.5}, "whole number of echoes"),
        ({**TRAIN, "refocusing": 190}, "up to 180 degrees"),
        ({**TRAIN, "refocusing": 0}, "above 0"),
        ({**TRAIN, "refocusing": float("nan")}, "above 0"),
        ({**TRAIN, "echoes": None, "refocusing": 120}, "give the number of echoes"),
    ],
)
def test_impossible_times_are_refused_with_a_sentence(values, sentence):
    with pytest.raises(InputError, match=sentence):
        Sequence.from_mapping(values)


def test_a_sequence_survives_the_way_through_a_mapping():
    flair = Sequence("IR-FSE", 0.1, 9.0, 2.5, 0.16)
    assert Sequence.from_mapping(flair.to_mapping()) == flair
    low = Sequence("IR-FSE", 0.1, 9.0, 2.5, 0.16, echoes=16, refocusing=120.0)
    assert Sequence.from_mapping(low.to_mapping()) == low


def test_a_mapping_tells_only_what_is_set():
    assert Sequence("SE", 0.01, 2.0).to_mapping() == {"sequence": "SE", "te": 0.01, "tr": 2.0}
    ideal = Sequence.from_mapping({**TRAIN, "refocusing": 180})
    assert ideal.to_mapping() == TRAIN


def test_an_echo_time_names_its_echo():
    train = Sequence.from_mapping(TRAIN)
    assert (train.echo, train.spacing) == (10, pytest.approx(0.01))
    rounded = Sequence("FSE", 0.104, 4.5, te_last=0.167, echoes=16)
    assert rounded.echo == 10
    assert (Sequence("SE", 0.075, 4.5).echo, Sequence("SE", 0.075, 4.5).spacing) == (1, 0.075)


def test_an_inversion_time_alone_makes_an_inversion_sequence():
    assert Sequence.from_mapping({"te": 0.01, "tr": 3.0, "ti": 0.5}).kind == "IR-SE"
