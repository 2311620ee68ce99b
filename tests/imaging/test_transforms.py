"""Transforms: ITK's files in LPS with a centre, world matrices in RAS."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging import transforms

HEADER = "#Insight Transform File V1.0\n#Transform 0\n"


def itk_file(folder, parameters, centre, kind="MatrixOffsetTransformBase_double_3_3"):
    path = folder / "transform.txt"
    path.write_text(
        f"{HEADER}Transform: {kind}\nParameters: {parameters}\nFixedParameters: {centre}\n"
    )
    return path


def test_a_shift_changes_sign_to_the_right_and_to_the_front_but_not_upwards(tmp_path):
    matrix = transforms.read_itk_affine(itk_file(tmp_path, "1 0 0 0 1 0 0 0 1 2 3 4", "9 9 9"))
    np.testing.assert_allclose(
        matrix, [[1, 0, 0, -2], [0, 1, 0, -3], [0, 0, 1, 4], [0, 0, 0, 1]], atol=1e-12
    )


def test_a_turn_about_a_centre_leaves_the_centre_where_it_is(tmp_path):
    # 90 degrees about S through LPS (10, 0, 0), which is RAS (-10, 0, 0).
    matrix = transforms.read_itk_affine(itk_file(tmp_path, "0 -1 0 1 0 0 0 0 1 0 0 0", "10 0 0"))
    np.testing.assert_allclose(transforms.apply(matrix, [[-10.0, 0, 0]]), [[-10, 0, 0]], atol=1e-12)
    # LPS (11, 0, 0) is one to the left of the centre and goes one to the back: LPS (10, 1, 0).
    np.testing.assert_allclose(transforms.apply(matrix, [[-11.0, 0, 0]]), [[-10, -1, 0]], atol=1e-9)


def test_a_matrix_survives_its_file_with_all_digits(tmp_path):
    matrix = transforms.rotation_about([1, 2, 3], 7.0, [4.0, 5.0, 6.0], [0.1, 0.2, 0.3])
    matrix[0, 1] += 0.01
    path = tmp_path / "found.txt"
    transforms.write_itk_affine(path, matrix)
    np.testing.assert_allclose(transforms.read_itk_affine(path), matrix, rtol=0, atol=1e-14)


def test_a_written_file_means_the_same_to_ants(tmp_path):
    ants = pytest.importorskip("ants")
    matrix = transforms.rotation_about([1, -2, 3], 20.0, [4.0, 5.0, 6.0], [7.0, 8.0, 9.0])
    path = tmp_path / "found.txt"
    transforms.write_itk_affine(path, matrix)
    point = np.array([10.0, 20.0, 30.0])
    found = np.array(ants.read_transform(str(path)).apply_to_point(point * [-1, -1, 1]))
    np.testing.assert_allclose(
        found * [-1, -1, 1], transforms.apply(matrix, point[None])[0], atol=1e-5
    )


def test_a_quarter_turn_takes_right_to_front():
    matrix = transforms.rotation_about([0, 0, 2], 90.0, [0, 0, 0], [0, 0, 5.0])
    np.testing.assert_allclose(transforms.apply(matrix, [[1.0, 0, 0]]), [[0, 1, 5]], atol=1e-12)


def test_distance_of_a_turn_grows_with_the_lever_and_of_a_shift_stays():
    still = np.eye(4)
    shift = transforms.rotation_about([0, 0, 1], 0.0, [0, 0, 0], [3.0, 4.0, 0])
    half_turn = transforms.rotation_about([0, 0, 1], 180.0, [0, 0, 0], [0, 0, 0])
    points = np.array([[1.0, 0, 0], [10, 0, 0], [0, 0, 7]])
    np.testing.assert_allclose(transforms.distances(still, shift, points), [5, 5, 5])
    np.testing.assert_allclose(
        transforms.distances(still, half_turn, points), [2, 20, 0], atol=1e-9
    )


def test_mean_distance_is_over_the_masks_voxels_in_millimetres():
    mask = np.zeros((3, 2, 2), dtype=bool)
    mask[1, 0, 0] = mask[2, 0, 0] = True  # at x = 2 and 4 mm
    half_turn = transforms.rotation_about([0, 0, 1], 180.0, [0, 0, 0], [0, 0, 0])
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    assert transforms.mean_distance(np.eye(4), half_turn, mask, affine) == pytest.approx(6.0)


def test_itk_parts_of_an_affine_give_it_back():
    affine = transforms.rotation_about([1, 1, 0], 30.0, [0, 0, 0], [5.0, 6.0, 7.0])
    affine = affine @ np.diag([1.0, 2.0, 4.0, 1.0])
    origin, spacing, direction = transforms.lps_affine(affine)
    np.testing.assert_allclose(spacing, [1, 2, 4])
    np.testing.assert_allclose(origin, [-5, -6, 7])
    np.testing.assert_allclose(direction.T @ direction, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "centre", "kind"),
    [
        ("0 0 0 1 2 3", "0 0 0", "Euler3DTransform_double_3_3"),
        ("1 0 0 1 0 0", "0 0", "AffineTransform_double_2_2"),
        ("1 0 0 0 1 0 0 0 1 0 0", "0 0 0", "AffineTransform_double_3_3"),
        ("1 0 0 0 1 0 0 0 1 0 0 none", "0 0 0", "AffineTransform_double_3_3"),
    ],
)
def test_anything_but_one_affine_is_refused_by_its_files_name(tmp_path, parameters, centre, kind):
    path = itk_file(tmp_path, parameters, centre, kind)
    with pytest.raises(InputError, match=r"transform\.txt is not one affine"):
        transforms.read_itk_affine(path)


def test_a_missing_transform_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match=r"gone\.txt is missing"):
        transforms.read_itk_affine(tmp_path / "gone.txt")
