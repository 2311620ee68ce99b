import nibabel
import numpy as np
import pytest

from pipeline_lib.disk.data import NOISY, data_of

SHAPES = {"T1w": (20, 30, 10), "T2w": (40, 40, 8)}
BIDS = {
    "bids": {"root": "."},
    "contrasts": dict.fromkeys(SHAPES),
    "reference": "T1w",
    "slices": {"size": [32, 32], "orientation": "axial"},
}


def save(folder, session, ending, shown=1.0):
    """Whole numbers as scanners write them; `shown` of the planes hold anything."""
    paths, random = {}, np.random.default_rng(1)
    for contrast, shape in SHAPES.items():
        image = random.integers(100, 900, shape)
        image[:, round(shown * shape[1]) :] = 0
        paths[contrast] = folder / f"{session}_{contrast}{ending}"
        nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), np.eye(4)), paths[contrast])
    return paths


def test_scans_on_different_grids_count_each_and_the_reference_is_the_grid(tmp_path):
    scans = {name: save(tmp_path, name, ".nii.gz") for name in ("sub-1_ses-1", "sub-1_ses-2")}
    found = data_of("real", BIDS, scans, 1)
    assert (found.patients, found.sessions) == (1, 2)
    assert found.voxels == 20 * 30 * 10 + 40 * 40 * 8
    assert found.grid == 20 * 30 * 10
    assert found.pixels == 32 * 32 * 10


def test_an_empty_background_is_told_by_the_size_of_the_raw_scans(tmp_path):
    whole = data_of("real", BIDS, {"sub-1": save(tmp_path, "sub-1", ".nii.gz")}, 1)
    third = data_of("real", BIDS, {"sub-2": save(tmp_path, "sub-2", ".nii.gz", shown=1 / 3)}, 1)
    assert whole.corrected == pytest.approx(NOISY, rel=0.1)
    assert third.corrected == pytest.approx(NOISY / 3, rel=0.3)


def test_scans_that_are_not_there_or_not_compressed_count_as_noise_everywhere(tmp_path):
    plain = data_of("real", BIDS, {"sub-1": save(tmp_path, "sub-1", ".nii")}, 1)
    absent = data_of("real", BIDS, {"sub-1": dict.fromkeys(SHAPES, tmp_path / "none.nii.gz")}, 1)
    assert plain.corrected == absent.corrected == NOISY
    assert absent.grid == 256**3
