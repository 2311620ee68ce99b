import numpy as np
import torch
from scipy import ndimage

from pipeline_lib.phantom import motion
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.motion import Motion, draw_motion, moved_anatomy

GRID = Grid((20, 24, 4), (4.0, 5.0, 9.0))


def some_image():
    image = np.zeros(GRID.fine_size, dtype=np.float32)
    inner = image[2:-2, 2:-2, 2:-2]
    inner[:] = np.random.default_rng(3).uniform(-1, 1, inner.shape)
    return image


def test_a_motion_stays_within_what_was_asked():
    drawn = [draw_motion(Motion(5.0, 4.0), np.random.default_rng(seed)) for seed in range(200)]
    shifts = [np.linalg.norm(matrix[:3, 3]) for matrix in drawn]
    angles = [np.rad2deg(np.arccos((np.trace(matrix[:3, :3]) - 1) / 2)) for matrix in drawn]
    assert 4.5 < max(shifts) <= 5
    assert 3.6 < max(angles) <= 4
    np.testing.assert_allclose(drawn[0][:3, :3] @ drawn[0][:3, :3].T, np.eye(3), atol=1e-12)


def test_moving_is_linear_interpolation_as_scipy_does_it(monkeypatch):
    image = some_image()
    matrix = draw_motion(Motion(7.0, 6.0), np.random.default_rng(1))
    pull = np.linalg.inv(GRID.fine_affine) @ np.linalg.inv(matrix) @ GRID.fine_affine
    expected = ndimage.affine_transform(image, pull[:3, :3], pull[:3, 3], order=1)
    moved = moved_anatomy(torch.from_numpy(image), GRID, matrix)
    np.testing.assert_allclose(moved.numpy(), expected, atol=5e-6)
    monkeypatch.setattr(motion, "AT_ONCE", 3000)
    assert torch.equal(moved_anatomy(torch.from_numpy(image), GRID, matrix), moved)


def test_a_whole_voxel_moves_without_blur_and_the_far_end_is_lost():
    image = torch.from_numpy(some_image())
    matrix = np.eye(4)
    matrix[:3, 3] = [4.0, -5.0, 0.0]
    moved = moved_anatomy(image, GRID, matrix)
    torch.testing.assert_close(moved[1:, :-1], image[:-1, 1:], atol=1e-6, rtol=0)
    assert not moved[0].any()
    matrix[:3, 3] = [0, 0, 1000.0]
    assert not moved_anatomy(image + 1, GRID, matrix).any()


def test_what_is_not_wanted_is_not_moved():
    image = torch.from_numpy(some_image())
    matrix = draw_motion(Motion(7.0, 6.0), np.random.default_rng(1))
    wanted = slice(7, 15)
    moved, part = (moved_anatomy(image, GRID, matrix, where) for where in (slice(None), wanted))
    assert torch.equal(part[:, :, wanted], moved[:, :, wanted])
    assert not part[:, :, :7].any()
