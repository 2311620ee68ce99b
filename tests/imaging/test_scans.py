import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import (
    check_scan,
    read_scan,
    spacing_of,
    to_orientation,
    write_scan,
)

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "ms_longitudinal"
AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
SPIN_ECHO = {"sequence": "SE", "te": 0.015, "tr": 0.6}


def an_array(shape=(9, 10, 11)):
    return np.random.default_rng(1).uniform(1, 100, shape).astype(np.float32)


def a_scan(folder, array=None, affine=AFFINE):
    path = folder / "sub-01_T1w.nii.gz"
    nibabel.save(nibabel.Nifti1Image(an_array() if array is None else array, affine), path)
    return path


def complaint(path):
    with pytest.raises(InputError) as caught:
        read_scan(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "scan.nii.gz"
    turned = AFFINE @ np.array([[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1.0]])
    write_scan(path, an_array(), turned)
    array, affine = read_scan(path)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, an_array())
    np.testing.assert_allclose(affine, turned, atol=1e-5)
    np.testing.assert_allclose(nibabel.load(path).get_qform(), turned, atol=1e-5)


def test_labels_keep_their_kind_of_number_and_files_their_bytes(tmp_path):
    labels = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_scan(tmp_path / name, labels, AFFINE, dtype=np.uint8)
    assert nibabel.load(tmp_path / "a.nii.gz").get_data_dtype() == np.uint8
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_the_headers_scaling_is_applied(tmp_path):
    image = nibabel.Nifti1Image(np.arange(27, dtype=np.int16).reshape(3, 3, 3), AFFINE)
    image.header.set_slope_inter(0.5, 10)
    nibabel.save(image, tmp_path / "scan.nii")
    array, _ = read_scan(tmp_path / "scan.nii")
    stored = nibabel.load(tmp_path / "scan.nii").get_fdata()
    np.testing.assert_allclose(array, stored)


def test_a_second_version_file_and_a_fourth_axis_of_one_volume_are_read(tmp_path):
    path = tmp_path / "scan.nii.gz"
    nibabel.save(nibabel.Nifti2Image(an_array()[..., None], AFFINE), path)
    array, _ = read_scan(path)
    np.testing.assert_array_equal(array, an_array())


def test_a_truncated_scan_is_refused(tmp_path):
    path = a_scan(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "cut short" in complaint(path)
    assert "copy or download it again" in complaint(path)


def test_an_uncompressed_scan_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "sub-01_T1w.nii"
    nibabel.save(nibabel.Nifti1Image(an_array(), AFFINE), path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "cut short" in complaint(path)


def test_a_damaged_byte_is_seen_by_the_check_sum(tmp_path):
    path = a_scan(tmp_path)
    content = gzip.decompress(path.read_bytes())
    stored = bytearray(gzip.compress(content, compresslevel=0))
    stored[len(stored) // 2] ^= 1  # deflate cannot notice, as nothing is compressed
    path.write_bytes(stored)
    assert "damaged" in complaint(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_scan_with_values_that_are_not_finite_is_refused(tmp_path, value):
    array = an_array()
    array[1, 2, 3] = value
    sentence = complaint(a_scan(tmp_path, array))
    assert "1 voxels of 990 that are NaN or infinite" in sentence
    assert "exclude its session" in sentence


def test_a_scan_of_several_volumes_is_refused(tmp_path):
    sentence = complaint(a_scan(tmp_path, an_array((4, 4, 4, 3))))
    assert "4 dimensions (4, 4, 4, 3)" in sentence
    assert "extract the volume" in sentence


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_scan_is_refused(tmp_path, value):
    sentence = complaint(a_scan(tmp_path, np.full((4, 4, 4), value, np.float32)))
    assert f"all its voxels are {value}" in sentence
    assert "exclude" in sentence


@pytest.mark.parametrize("size", [0.0, 1e-6, 1000.0, np.nan])
def test_voxels_of_an_impossible_size_are_refused(tmp_path, size):
    path = a_scan(tmp_path, affine=np.diag([1.0, 1.0, 1.0, 1.0]))
    image = nibabel.Nifti1Image(an_array(), None)
    image.header["sform_code"] = 1
    image.header["srow_x"] = [size, 0, 0, 0]
    image.header["srow_y"] = [0, 1, 0, 0]
    image.header["srow_z"] = [0, 0, 1, 0]
    path.write_bytes(gzip.compress(header_of(image) + an_array().tobytes(order="F")))
    assert "correct the header" in complaint(path)


def header_of(image):
    header = image.header.copy()
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    header.set_data_dtype(np.float32)
    header.set_data_shape((9, 10, 11))
    return header.binaryblock + b"\0\0\0\0"


def test_axes_that_coincide_are_refused(tmp_path):
    affine = np.eye(4)
    affine[:, 1] = affine[:, 0]
    image = nibabel.Nifti1Image(an_array(), None)
    image.header["sform_code"] = 1
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        image.header[name] = affine[row]
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(header_of(image) + an_array().tobytes(order="F")))
    assert "axes that coincide" in complaint(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"no scan at all", gzip.compress(b"\0" * 400)],
    ids=["empty", "text", "zeros in gzip"],
)
def test_a_file_that_is_no_nifti_is_refused(tmp_path, content):
    path = tmp_path / "sub-01_T1w.nii.gz"
    path.write_bytes(content)
    assert "again" in complaint(path)


def test_colours_are_refused(tmp_path):
    colours = np.zeros((4, 4, 4), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert "magnitude" in complaint(a_scan(tmp_path, colours))


def test_a_missing_file_is_named(tmp_path):
    assert "is missing" in complaint(tmp_path / "sub-01_T1w.nii.gz")


def test_spacing_is_that_of_turned_axes_too():
    turn = np.array([[0.6, -0.8, 0, 0], [0.8, 0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert spacing_of(turn @ AFFINE) == pytest.approx((2.0, 3.0, 4.0))


def test_an_orientation_keeps_every_voxel_at_its_place():
    array = an_array((3, 4, 5))
    affine = AFFINE @ np.array([[0, 0, -1, 5], [1, 0, 0, 6], [0, -1, 0, 7], [0, 0, 0, 1.0]])
    for codes in ("RAS", "SPL", "AIL", "RIP"):
        turned, new = to_orientation(array, affine, codes)
        assert "".join(nibabel.aff2axcodes(new)) == codes
        index = np.array([1, 2, 1, 1.0])
        old = np.rint(np.linalg.solve(affine, new @ index)).astype(int)
        assert turned[1, 2, 1] == array[tuple(old[:3])]


def test_ras_is_nibabels_canonical_order():
    array = an_array((3, 4, 5))
    affine = AFFINE @ np.array([[0, 0, -1, 5], [1, 0, 0, 6], [0, -1, 0, 7], [0, 0, 0, 1.0]])
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(array, affine))
    turned, new = to_orientation(array, affine)
    np.testing.assert_array_equal(turned, np.asarray(canonical.dataobj))
    np.testing.assert_allclose(new, canonical.affine)


def test_a_scan_without_sidecar_is_described_by_the_configuration(tmp_path):
    checked = check_scan(a_scan(tmp_path), SPIN_ECHO)
    assert checked["te"] == 0.015
    assert checked["shape"] == [9, 10, 11]
    assert checked["spacing"] == [2.0, 3.0, 4.0]
    assert "ti" not in checked


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real scans are not beside the project")
def test_real_scans_pass_and_tell_their_sequence():
    scan = REAL / "sub-01" / "ses-1" / "anat" / "sub-01_ses-1_FLAIR.nii.gz"
    checked = check_scan(scan, {})
    assert (checked["sequence"], checked["ti"]) == ("IR-SE", 2.8)
    assert checked["shape"] == [320, 320, 36]
    assert checked["spacing"] == pytest.approx([0.71875, 0.71875, 4.0], abs=1e-3)
