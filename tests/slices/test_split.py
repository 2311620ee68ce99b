import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.split import (
    SplitRow,
    check_split,
    make_split,
    read_rows,
    read_split,
    write_split,
)

PATIENTS = [f"sub-{number:02d}" for number in range(1, 12)]


def parts(rows, fold=0):
    return {
        part: {row.patient for row in rows if row.fold == fold and row.split == part}
        for part in ("train", "validation", "test")
    }


def complaint(split, patients=PATIENTS, anatomies=None):
    with pytest.raises(InputError) as caught:
        make_split(patients, anatomies or {}, split, seed=1)
    return str(caught.value)


def test_each_patient_is_tested_in_exactly_one_fold():
    rows = make_split(PATIENTS, {}, {"folds": 4, "validation": 2}, seed=1)
    tested = [row.patient for row in rows if row.split == "test"]
    assert sorted(tested) == PATIENTS
    for fold in range(4):
        of_fold = parts(rows, fold)
        assert len(of_fold["validation"]) == 2
        assert len(of_fold["test"]) in (2, 3)
        assert set.union(*of_fold.values()) == set(PATIENTS)
        assert sum(map(len, of_fold.values())) == len(PATIENTS)


def test_validation_may_be_left_out():
    rows = make_split(PATIENTS, {}, {"folds": 2}, seed=1)
    assert {row.split for row in rows} == {"train", "test"}


def test_the_seed_alone_decides_and_the_order_of_the_patients_does_not():
    split = {"folds": 4, "validation": 1}
    first = make_split(PATIENTS, {}, split, seed=1)
    assert make_split(PATIENTS[::-1], {}, split, seed=1) == first
    assert make_split(PATIENTS, {}, split, seed=2) != first


def test_a_new_patient_moves_at_most_one_other_across_each_border():
    before = make_split(PATIENTS, {}, {"folds": 4, "validation": 0}, seed=3)
    after = make_split([*PATIENTS, "sub-99"], {}, {"folds": 4, "validation": 0}, seed=3)
    old = {row.patient: row.fold for row in before if row.split == "test"}
    new = {row.patient: row.fold for row in after if row.split == "test"}
    assert sum(old[patient] != new[patient] for patient in PATIENTS) <= 3


def test_patients_of_one_anatomy_stay_together():
    anatomies = {patient: f"anatomy-{index // 2}" for index, patient in enumerate(PATIENTS)}
    rows = make_split(PATIENTS, anatomies, {"folds": 3, "validation": 1}, seed=1)
    for fold in range(3):
        splits = {}
        for row in rows:
            if row.fold == fold:
                splits.setdefault(row.anatomy, set()).add(row.split)
        assert all(len(found) == 1 for found in splits.values())


def test_numbers_are_drawn_once():
    rows = make_split(PATIENTS, {}, {"validation": 1, "test": 3}, seed=1)
    assert {part: len(found) for part, found in parts(rows).items()} == {
        "train": 7,
        "validation": 1,
        "test": 3,
    }


def test_a_number_of_training_patients_leaves_others_out_and_moves_no_one():
    split = {"validation": 1, "test": 3}
    every = parts(make_split(PATIENTS, {}, split, seed=1))
    rows = make_split(PATIENTS, {}, {**split, "train": 2, "seen": 1}, seed=1)
    few = parts(rows)
    assert len(few["train"]) == 2 and few["train"] < every["train"]
    assert (few["validation"], few["test"]) == (every["validation"], every["test"])
    assert [row.patient for row in rows if row.split == "seen"] == [rows[0].patient]
    assert make_split(PATIENTS, {}, {**split, "train": 7}, 1) == make_split(PATIENTS, {}, split, 1)
    assert "at most 7" in complaint({**split, "train": 8})


def test_lists_are_taken_as_they_are_and_the_others_left_out():
    split = {"train": ["sub-03", "sub-01"], "test": ["sub-02"]}
    assert parts(make_split(PATIENTS, {}, split, seed=1)) == {
        "train": {"sub-01", "sub-03"},
        "validation": set(),
        "test": {"sub-02"},
    }


def test_a_patient_in_two_lists_is_refused():
    sentence = complaint({"train": ["sub-01", "sub-02"], "test": ["sub-02"]})
    assert "patient sub-02 twice, in train and test" in sentence
    assert "keep it in one list" in sentence


def test_a_patient_twice_in_one_list_is_refused():
    assert "sub-01 twice, in train" in complaint(
        {"train": ["sub-01", "sub-01"], "test": ["sub-02"]}
    )


def test_an_anatomy_in_two_splits_is_refused():
    anatomies = {"sub-01": "head", "sub-02": "head"}
    sentence = complaint({"train": ["sub-01"], "test": ["sub-02"]}, anatomies=anatomies)
    assert "anatomy head twice" in sentence


def test_an_unknown_patient_is_named_with_the_nearest_spelling():
    sentence = complaint({"train": ["sub-1"], "test": ["sub-02"]})
    assert "names sub-1, which the dataset does not have (did you mean sub-1" in sentence


@pytest.mark.parametrize(
    ("split", "part"),
    [
        ({"validation": 0, "test": 11}, "train"),
        ({"folds": 2, "validation": 6}, "train"),
        ({"train": ["sub-01"], "test": []}, "test"),
    ],
)
def test_an_empty_part_is_refused(split, part):
    sentence = complaint(split)
    assert f"no patient in {part}" in sentence
    assert "fewer" in sentence


def test_more_folds_than_patients_are_refused():
    assert "use fewer folds" in complaint({"folds": 12})


def test_a_table_made_elsewhere_is_checked_too():
    rows = [SplitRow(0, "sub-01", "a", "train"), SplitRow(0, "sub-02", "a", "test")]
    with pytest.raises(InputError, match="anatomy a twice"):
        check_split(rows, PATIENTS)


def test_the_table_is_read_fold_by_fold(tmp_path):
    rows = make_split(PATIENTS, {}, {"folds": 3, "validation": 1}, seed=1)
    write_split(tmp_path / "split.csv", rows)
    lines = (tmp_path / "split.csv").read_text().splitlines()
    assert lines[0] == "fold,patient,anatomy,split,slice,contrast"
    assert lines[1] == f"0,{rows[0].patient},{rows[0].patient},train,,"
    for fold in range(3):
        read = read_split(tmp_path / "split.csv", fold)
        assert {part: set(found) for part, found in read.items()} == {
            **parts(rows, fold),
            "seen": set(),
        }
    with pytest.raises(InputError, match="no fold 3"):
        read_split(tmp_path / "split.csv", 3)


HEADER = "fold,patient,anatomy,split,slice,contrast\n"


@pytest.mark.parametrize(
    "text",
    [
        "patient,split\nsub-01,train\n",
        "fold,patient,anatomy,split\n0,sub-01,sub-01,train\n",
        "fold,patient,anatomy,split,slice\n0,sub-01,sub-01,train,\n",
        "",
        HEADER + "0,sub-01,sub-01,trained,,\n",
        HEADER + "0,sub-01,sub-01,train,first,\n",
        HEADER + "0,sub-01,sub-01\n",
    ],
)
def test_a_table_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(InputError, match=r"split\.csv is no table of a split.*make it again"):
        read_split(tmp_path / "split.csv", 0)


@pytest.mark.parametrize("split", [{"folds": 3, "validation": 1}, {"validation": 1, "test": 3}])
def test_the_first_training_patients_of_each_fold_are_seen_too(tmp_path, split):
    rows = make_split(PATIENTS, {}, {**split, "seen": 2}, seed=1)
    honest = make_split(PATIENTS, {}, split, seed=1)
    assert [row for row in rows if row.split != "seen"] == honest
    write_split(tmp_path / "split.csv", rows)
    for fold in range(split.get("folds", 1)):
        read = read_split(tmp_path / "split.csv", fold)
        assert len(read["seen"]) == 2 and read["seen"] == read["train"][:2]


def test_the_seen_ones_of_lists_are_drawn_and_not_the_first_ones_named():
    split = {"train": PATIENTS[:8], "test": PATIENTS[8:], "seen": 3}
    turned = {**split, "train": PATIENTS[:8][::-1]}
    seen = [
        {row.patient for row in make_split(PATIENTS, {}, each, seed) if row.split == "seen"}
        for each, seed in ((split, 1), (turned, 1), (split, 2))
    ]
    assert seen[0] == seen[1] != seen[2] and len(seen[0]) == 3


def test_more_seen_patients_than_trained_ones_are_refused():
    assert "at most 1" in complaint({"train": ["sub-01"], "test": ["sub-02"], "seen": 2})


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_patient_who_is_seen_but_not_trained_on_is_refused(part):
    rows = [
        SplitRow(0, "sub-01", "sub-01", "train"),
        SplitRow(0, "sub-02", "sub-02", "test"),
        SplitRow(0, "sub-03", "sub-03", part),
    ]
    check_split([*rows, SplitRow(0, "sub-01", "sub-01", "seen")], PATIENTS)
    for patient in ("sub-02", "sub-03", "sub-04"):
        with pytest.raises(InputError, match=f"patient {patient} in seen, but not in train"):
            check_split([*rows, SplitRow(0, patient, patient, "seen")], PATIENTS)
    with pytest.raises(InputError, match="sub-01 twice, in seen"):
        check_split([*rows, *[SplitRow(0, "sub-01", "sub-01", "seen")] * 2], PATIENTS)
    # That a patient is seen excuses no other doubling.
    for doubled in ("sub-01", "sub-02"):
        with pytest.raises(InputError, match=f"patient {doubled} twice, in"):
            check_split([*rows, SplitRow(0, doubled, doubled, "validation")], PATIENTS)


def test_an_anatomy_that_is_seen_and_tested_is_refused():
    rows = [
        SplitRow(0, "sub-01", "head", "train"),
        SplitRow(0, "sub-01", "head", "seen"),
        SplitRow(0, "sub-02", "head", "test"),
    ]
    with pytest.raises(InputError, match="anatomy head twice, in test and train"):
        check_split(rows, PATIENTS)


def test_the_images_of_a_leaked_split_are_read_as_they_were_drawn(tmp_path):
    images = {"sub-01": (3, ["PDw", "T2w"])}
    split = {"leaked": "image", "train": 0.5, "patients": ["sub-01"]}
    rows = make_split(PATIENTS, {"sub-01": "head"}, split, seed=1, images=images)
    write_split(tmp_path / "split.csv", rows)
    assert list(read_rows(tmp_path / "split.csv", 0)) == rows
    found = {part: ["sub-01"] for part in ("train", "test")}
    assert read_split(tmp_path / "split.csv", 0) == {**found, "validation": [], "seen": []}
    assert {row.anatomy for row in rows} == {"head"}
