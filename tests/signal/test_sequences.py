import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence


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
    ],
)
def test_impossible_times_are_refused_with_a_sentence(values, sentence):
    with pytest.raises(InputError, match=sentence):
        Sequence.from_mapping(values)


def test_a_sequence_survives_the_way_through_a_mapping():
    flair = Sequence("IR-FSE", 0.1, 9.0, 2.5, 0.16)
    assert Sequence.from_mapping(flair.to_mapping()) == flair


def test_an_inversion_time_alone_makes_an_inversion_sequence():
    assert Sequence.from_mapping({"te": 0.01, "tr": 3.0, "ti": 0.5}).kind == "IR-SE"
