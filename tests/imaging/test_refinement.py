import numpy as np
import pytest

from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.refinement import refined
from pipeline_lib.imaging.transforms import mean_distance, rotation_about
from tests.imaging.heads import grid, head

SHAPE, AFFINE = grid()
MOTION = rotation_about(np.array([0.0, 0.0, 1.0]), 3.0, np.zeros(3), np.array([2.0, -2.0, 1.5]))
ASTRAY = rotation_about(np.array([1.0, 0.0, 0.0]), 60.0, np.zeros(3), np.array([40.0, 0.0, 30.0]))


@pytest.fixture(scope="module")
def ends():
    scans = []
    for motion, seed in ((None, 0), (MOTION, 1)):
        image = head("T1w", SHAPE, AFFINE, motion, noise=0.01, seed=seed)
        scans.append((image, body_mask(image, (3.0, 3.0, 6.0)), AFFINE))
    return scans


def error(matrix, ends):
    return mean_distance(matrix, MOTION, ends[0][1], AFFINE)


def test_a_motion_is_found_from_none(ends):
    found = refined(*ends, [np.eye(4)], affine=False, seed=1)
    assert error(np.eye(4), ends) > 3
    assert error(found, ends) < 1.0  # of ellipsoids, whose turns are hard to see
    rotation = found[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-10)


def test_a_start_that_went_astray_does_no_harm(ends):
    found = refined(*ends, [ASTRAY, np.eye(4)], affine=False, seed=1)
    assert error(found, ends) < 1.0  # of ellipsoids, whose turns are hard to see


def test_the_same_input_gives_the_same_to_the_last_bit(ends):
    first, second = (refined(*ends, [np.eye(4)], affine=False, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first, second)
