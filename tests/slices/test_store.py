import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

T1W, FLAIR = Sequence("SE", 0.015, 0.6), Sequence("IR-FSE", 0.14, 11.0, 2.8, 0.2)


def some_slices():
    draws = np.random.default_rng(1)
    body = draws.integers(0, 2, (4, 6, 5), dtype=np.uint8)
    return PatientSlices(
        patient="sub-01",
        contrasts={"T1w": T1W, "FLAIR": FLAIR},
        images=draws.normal(size=(4, 2, 6, 5)).astype(np.float32),
        body=body,
        tissues=body * 2,
        tissue_names={2: "fat"},
        sessions=("sub-01_ses-1", "sub-01_ses-1", "sub-01_ses-2", "sub-01_ses-2"),
        indices=(3, 4, 0, 7),
        scale=812.5,
        spacing=(1.5, 2.0),
        geometry={"sub-01_ses-1": {"affine": np.eye(4).tolist(), "slices": 9}},
    )


def test_what_is_written_is_opened_again(tmp_path):
    before = some_slices()
    before.write(tmp_path / "sub-01")
    after = PatientSlices.open(tmp_path / "sub-01")
    np.testing.assert_array_equal(after.images, before.images)
    np.testing.assert_array_equal(after.body, before.body)
    np.testing.assert_array_equal(after.tissues, before.tissues)
    for name in ("patient", "sessions", "indices", "scale", "spacing", "geometry", "tissue_names"):
        assert getattr(after, name) == getattr(before, name)
    assert dict(after.contrasts) == {"T1w": T1W, "FLAIR": FLAIR}
    assert list(after.contrasts) == ["T1w", "FLAIR"]
    assert len(after) == 4


def test_arrays_are_mapped_and_cannot_be_written_to(tmp_path):
    some_slices().write(tmp_path / "sub-01")
    images = PatientSlices.open(tmp_path / "sub-01").images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0, 0, 0, 0] = 1


def test_an_earlier_folder_is_replaced(tmp_path):
    some_slices().write(tmp_path / "sub-01")
    (tmp_path / "sub-01" / "images.npy").write_bytes(b"")
    some_slices().write(tmp_path / "sub-01")
    assert len(PatientSlices.open(tmp_path / "sub-01")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["sub-01"]


@pytest.mark.parametrize("name", ["images.npy", "body.npy", "slices.json"])
def test_a_missing_file_is_named(tmp_path, name):
    some_slices().write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        PatientSlices.open(tmp_path)


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    some_slices().write(tmp_path)
    (tmp_path / "images.npy").write_bytes((tmp_path / "images.npy").read_bytes()[:-100])
    with pytest.raises(InputError, match="delete it and run again"):
        PatientSlices.open(tmp_path)


def test_arrays_that_do_not_fit_together_are_refused(tmp_path):
    some_slices().write(tmp_path)
    np.save(tmp_path / "body.npy", np.zeros((4, 6, 6), np.uint8))
    with pytest.raises(InputError, match="body has not the shape"):
        PatientSlices.open(tmp_path)
