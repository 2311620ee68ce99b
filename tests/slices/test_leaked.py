"""Splits of single slices and images, each of which is trained on or tested, never both."""

from collections import Counter

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.leaked import check_leaked_settings, is_leaked
from pipeline_lib.slices.split import make_split

PATIENTS = ["sub-01", "sub-02", "sub-03"]
CONTRASTS = ["PDw", "T2w", "T1w", "IRw"]
IMAGES = dict.fromkeys(PATIENTS, (10, CONTRASTS))


def drawn(split, seed=1, images=IMAGES):
    """Give slices and contrasts of the train rows and of the test rows."""
    rows = make_split(PATIENTS, {}, split, seed, images)
    assert {row.fold for row in rows} == {0}
    return [
        [(row.patient, row.slice, row.contrast) for row in rows if row.split == part]
        for part in ("train", "test")
    ]


def test_only_a_leaked_split_says_so():
    assert is_leaked({"leaked": "image", "train": 0.8}) == "image"
    assert is_leaked({"folds": 5}) is None
    assert is_leaked({"leaked": None, "folds": 5}) is None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_each_slice_is_trained_on_or_tested_in_its_share(share):
    train, test = drawn({"leaked": "slice", "train": share})
    every = [(patient, row, None) for patient in PATIENTS for row in range(10)]
    assert sorted(train + test) == every
    counts = Counter(patient for patient, _, _ in train)
    assert counts == dict.fromkeys(PATIENTS, round(10 * share))


@pytest.mark.parametrize("share", [0.25, 0.5, 0.7])
def test_each_image_is_trained_on_or_tested_and_each_slice_both(share):
    train, test = drawn({"leaked": "image", "train": share})
    every = {(name, row, of) for name in PATIENTS for row in range(10) for of in CONTRASTS}
    assert set(train) | set(test) == every and len(train) + len(test) == len(every)
    for part in (train, test):
        assert len({(patient, row) for patient, row, _ in part}) == 30
    assert len(train) == round(share * len(every))


@pytest.mark.parametrize(("share", "trained"), [(0.01, 10), (0.99, 30)])
def test_where_the_share_leaves_a_slice_none_it_keeps_one_image_of_both(share, trained):
    train, test = drawn({"leaked": "image", "train": share, "patients": ["sub-02"]})
    assert (len(train), len(test)) == (trained, 40 - trained)
    for part in (train, test):
        assert {row for _, row, _ in part} == set(range(10))


def test_the_seed_decides_and_no_other_patient_does():
    split = {"leaked": "image", "train": 0.5}
    assert drawn(split) == drawn(split) != drawn(split, seed=2)
    alone = drawn({**split, "patients": ["sub-02"]})
    among = [[unit for unit in part if unit[0] == "sub-02"] for part in drawn(split)]
    assert alone == among
    first, second = ({unit[1:] for unit in drawn(split)[0] if unit[0] == p} for p in PATIENTS[:2])
    assert first != second


@pytest.mark.parametrize("unit", ["slice", "image"])
def test_of_one_contrast_both_parts_have_an_image(unit):
    images = dict.fromkeys(PATIENTS, (3, ["PDw"]))
    for share in (0.01, 0.99):
        train, test = drawn({"leaked": unit, "train": share}, images=images)
        assert sorted((len(train), len(test))) == [3, 6]


def test_a_patient_of_a_single_image_or_of_none_is_refused():
    with pytest.raises(InputError, match="sub-01 has 1 of what a leaked split draws"):
        drawn({"leaked": "slice", "train": 0.5}, images=dict.fromkeys(PATIENTS, (1, CONTRASTS)))
    with pytest.raises(InputError, match="sub-01 has no slices"):
        drawn({"leaked": "slice", "train": 0.5}, images={})


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ({"leaked": "patch", "train": 0.5}, "is image or slice, not 'patch'"),
        ({"leaked": "slice", "train": 1}, "which is 1; set it to a number between 0 and 1"),
        ({"leaked": "slice", "train": 0.0}, "which is 0.0; set it"),
        ({"leaked": "slice"}, "which is None; set it"),
        ({"leaked": "slice", "train": ["sub-01"]}, "set it to a number"),
        ({"leaked": "slice", "train": 0.5, "folds": 2}, "no use for `folds`; take it out"),
        ({"leaked": "slice", "train": 0.5, "seen": 2}, "no use for `seen`"),
        ({"leaked": "slice", "train": 0.5, "patients": ["sub-1"]}, "did you mean sub-0"),
        ({"leaked": "slice", "train": 0.5, "patients": ["sub-01"] * 2}, "names a patient twice"),
    ],
)
def test_settings_that_can_not_be_drawn_are_refused_before_there_are_slices(split, sentence):
    with pytest.raises(InputError, match=sentence):
        check_leaked_settings(split, PATIENTS)
    with pytest.raises(InputError, match=sentence):
        drawn(split)


def test_settings_that_can_be_drawn_pass():
    check_leaked_settings({"leaked": "slice", "train": 0.5, "patients": ["sub-01"]}, PATIENTS)
    check_leaked_settings({"leaked": "image", "train": 0.5, "seen": 0}, PATIENTS)
