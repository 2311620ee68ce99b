"""Sessions of a BIDS folder, by names alone."""

from pipeline_lib.imaging.bids_folders import Session, names_in, sessions_in


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folders_and_files_are_told_apart_and_sorted(tmp_path):
    touch(tmp_path, "b.json", "a.nii.gz", "notes", "z/x", "y/x")
    assert names_in(tmp_path) == (["y", "z"], ["a.nii.gz", "b.json", "notes"])


def test_a_session_knows_its_scans_and_the_sidecars_above_it(tmp_path):
    touch(
        tmp_path, "T1w.json", "README", "sub-01/sub-01.json", "sub-01/ses-1/anat/b",
        "sub-01/ses-1/anat/a", "sub-01/ses-1/x.json", "sub-01/ses-2/func/c", "code/anat/d",
    )  # fmt: skip
    folder = tmp_path / "sub-01"
    above = ["T1w.json", "sub-01.json"]
    assert list(sessions_in(tmp_path)) == [
        Session("sub-01_ses-1", folder / "ses-1/anat", ["a", "b"], [*above, "x.json"]),
        Session("sub-01_ses-2", folder / "ses-2/anat", [], above),
    ]


def test_a_patient_with_scans_of_its_own_is_a_session_too(tmp_path):
    touch(tmp_path, "sub-01/anat/a", "sub-01/ses-1/anat/b", "sub-02/func/c")
    assert [s.name for s in sessions_in(tmp_path)] == ["sub-01", "sub-01_ses-1", "sub-02"]
