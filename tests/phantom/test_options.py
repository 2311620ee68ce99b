from pipeline_lib.phantom.options import patient_names, simulation_options

DATASET = {
    "virtual": {"anatomy": "pelvis", "patients": 3},
    "contrasts": {"T1w": {"te": 0.008, "tr": 0.4}},
    "reference": "T1w",
    "exclude": ["sub-002"],
    "slices": {"size": [96, 96]},
}


def test_excluded_patients_are_left_out_and_no_other_gets_their_name():
    assert patient_names(DATASET) == ["sub-001", "sub-003"]


def test_the_options_hold_what_a_patient_depends_on_and_nothing_else():
    options = simulation_options(7, "mine", DATASET)
    assert options == {
        "seed": 7,
        "dataset": "mine",
        "virtual": {"anatomy": "pelvis"},
        "contrasts": DATASET["contrasts"],
        "reference": "T1w",
    }
