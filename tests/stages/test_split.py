import json
import sys

import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.slices.images import read_images
from pipeline_lib.slices.split import read_split
from pipeline_lib.stages import split
from tests.training.stores import write_patient

PATIENTS = [f"sub-{number:03d}" for number in range(1, 9)]


def run(monkeypatch, tmp_path, settings, slices=()):
    patients = tmp_path / "patients.json"
    patients.write_text(json.dumps({patient: patient for patient in PATIENTS}))
    options = {"seed": 2021, "split": settings}
    output = tmp_path / "split.csv"
    arguments = [
        "split",
        "--patients",
        str(patients),
        "--output",
        str(output),
        "--options",
        json.dumps(options),
    ]
    if slices:
        arguments += ["--slices", *map(str, slices)]
    monkeypatch.setattr(sys, "argv", arguments)
    split.main()
    return output


def test_the_table_is_the_same_each_time(monkeypatch, tmp_path):
    first = run(monkeypatch, tmp_path, {"folds": 4, "validation": 1}).read_bytes()
    assert run(monkeypatch, tmp_path, {"folds": 4, "validation": 1}).read_bytes() == first


def test_a_fixed_split_keeps_its_lists(monkeypatch, tmp_path):
    settings = {"train": PATIENTS[:5], "validation": PATIENTS[5:6], "test": PATIENTS[6:]}
    assert read_split(run(monkeypatch, tmp_path, settings), 0) == {**settings, "seen": []}


@pytest.mark.parametrize("unit", ["image", "slice"])
def test_a_leaked_split_draws_from_the_slices_that_there_are(monkeypatch, tmp_path, unit):
    for seed, patient in enumerate(PATIENTS[:3]):
        write_patient(tmp_path, patient, seed, slices=3 + seed)
    folders = [tmp_path / patient for patient in PATIENTS[:3]]
    settings = {"leaked": unit, "train": 0.5, "patients": PATIENTS[1:3]}
    output = run(monkeypatch, tmp_path, settings, slices=folders)
    train, test = (read_images(folders, output, 0, part) for part in ("train", "test"))
    assert [len(images.slices) for images in train] == [4, 5]
    for one, other in zip(train, test, strict=True):
        assert (one.held ^ other.held).all()


def test_a_leaked_split_without_slices_leaves_no_table(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="sub-001 has no slices"):
        run(monkeypatch, tmp_path, {"leaked": "slice", "train": 0.5})
    assert not (tmp_path / "split.csv").exists()
