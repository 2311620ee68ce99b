import gzip

import nibabel as nib
import numpy as np
import pytest

from pipeline_lib.sizes import (
    ASSUMED_SHAPE,
    nifti_shape,
    predicted_patients,
    scan_shape,
    stored_pixels,
)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("endianness", ["<", ">"])
def test_a_shape_is_read_from_the_header(tmp_path, kind, ending, endianness):
    header = kind.header_class(endianness=endianness)
    path = tmp_path / f"scan{ending}"
    kind(np.zeros((5, 7, 3), np.float32), np.eye(4), header).to_filename(path)
    assert nifti_shape(path) == (5, 7, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"text", bytes(400), gzip.compress(bytes(9)), b"\x1f\x8b"],
    ids=["empty", "text", "zeros", "short in gzip", "cut gzip"],
)
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_file_that_is_no_nifti_has_no_shape(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert nifti_shape(tmp_path / name) is None


def test_the_largest_scan_counts_and_a_missing_one_does_not(tmp_path):
    for number, shape in enumerate([(4, 4, 4), (2, 9, 9)]):
        image = nib.Nifti1Image(np.zeros(shape, np.float32), np.eye(4))
        image.to_filename(tmp_path / f"{number}.nii")
    scans = [tmp_path / f"{number}.nii" for number in range(3)]
    assert scan_shape({"bids": {}}, scans) == (2, 9, 9)
    assert scan_shape({"bids": {}}, scans[2:]) == scan_shape({"dicom": {}}) == ASSUMED_SHAPE


def test_virtual_scans_and_pictures_have_their_size_in_the_configuration():
    assert scan_shape({"virtual": {"size": [96, 80, 20]}}) == (96, 80, 20)
    assert scan_shape({"pictures": {}, "slices": {"size": [48, 64]}}) == (48, 64, 1)


@pytest.mark.parametrize(("orientation", "slices"), [("sagittal", 2), ("coronal", 3), ("axial", 5)])
def test_slices_are_counted_across_their_orientation(orientation, slices):
    dataset = {"slices": {"size": [10, 20], "orientation": orientation}}
    assert stored_pixels(dataset, (2, 3, 5)) == 200 * slices


@pytest.mark.parametrize(
    ("split", "predicted"),
    [
        ({"folds": 5}, 3),  # of 11: three in the largest fold
        ({"folds": 5, "seen": 2}, 5),
        ({"test": 4, "seen": 1}, 5),
        ({"train": ["a"], "test": ["b", "c"]}, 2),
        ({"leaked": "image", "train": 0.5}, 11),
        ({"leaked": "image", "train": 0.5, "patients": ["sub-001"]}, 1),
    ],
)
def test_patients_whose_images_are_predicted(split, predicted):
    assert predicted_patients(split, 11) == predicted
