import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.folder import DatasetFolder, differences

OPTIONS = {
    "seed": 1,
    "dataset": "tiny",
    "virtual": {
        "anatomy": "pelvis", "field_strength": 3, "size": [16, 16, 8], "spacing": [24, 24, 12],
        "signal": "exact", "noise": 0.01, "bias_field": 0.3, "label_file": None,
        "motion": {"translation": 5.0, "rotation": 5.0},
    },
    "contrasts": {"T1w": {"sequence": "SE", "te": 0.008, "tr": 0.4}},
    "reference": "T1w",
}  # fmt: skip
OTHER = OPTIONS | {"seed": 2}


@pytest.fixture
def folder(tmp_path):
    """A folder of two patients."""
    made = DatasetFolder(tmp_path / "out", OPTIONS)
    assert made.prepare(["sub-001", "sub-002"]) == []
    for patient in ("sub-001", "sub-002"):
        made.add(patient)
    return made


def test_an_overwriting_that_is_cut_short_leaves_no_patient_of_the_old_settings(folder):
    again = DatasetFolder(folder.root, OTHER)
    assert again.prepare(["sub-001", "sub-002"], overwrite=True) == []
    again.add("sub-001")
    # Cut short here; the same command goes on.
    assert again.patients() == ["sub-001"]
    assert again.prepare(["sub-001", "sub-002"]) == ["sub-001"]
    assert (folder.root / "participants.tsv").read_text().count("sub-") == 1


def test_the_same_settings_made_anew_stay_until_they_are_replaced(folder):
    assert folder.prepare(["sub-001"], overwrite=True) == ["sub-002"]
    assert folder.patients() == ["sub-001", "sub-002"]


def test_a_refusal_changes_nothing(folder):
    before = {path: path.read_bytes() for path in folder.root.rglob("*.*") if path.is_file()}
    for overwrite in (False, True):
        with pytest.raises(InputError, match="seed is 1 there, 2 now"):
            DatasetFolder(folder.root, OTHER).prepare(["sub-001"], overwrite)
    after = {path: path.read_bytes() for path in folder.root.rglob("*.*") if path.is_file()}
    assert after == before


def test_files_of_other_programs_in_the_folder_are_left_alone(folder):
    maps = folder.root / "derivatives/maps"
    maps.mkdir()
    DatasetFolder(folder.root, OTHER).prepare(["sub-001", "sub-002"], overwrite=True)
    assert maps.is_dir()


def test_settings_differ_by_their_dotted_names():
    there = {"seed": 1, "virtual": {"noise": 0.01, "size": [1, 2]}, "gone": True}
    now = {"seed": 1, "virtual": {"noise": 0.02, "size": [1, 2]}}
    assert list(differences(there, now)) == [
        "virtual.noise is 0.01 there, 0.02 now",
        "gone is True there, None now",
    ]
