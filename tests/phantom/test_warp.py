import numpy as np
import pytest

from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.warp import random_warp

GRID = Grid((40, 40, 8), (5.0, 5.0, 15.0))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("displacement", [3.5, 8.0])
def test_a_warp_folds_nowhere(seed, displacement):
    points = np.stack(random_warp(GRID, displacement, np.random.default_rng(seed)))
    steps = [axis[1] - axis[0] for axis in GRID.axes]
    jacobian = np.stack([np.stack(np.gradient(part, *steps)) for part in points])
    assert np.linalg.det(np.moveaxis(jacobian, (0, 1), (-2, -1))).min() > 0.05


def test_a_warp_moves_about_as_far_as_asked():
    grids = np.stack(np.meshgrid(*GRID.axes, indexing="ij"))
    spread = [
        (np.stack(random_warp(GRID, 4.0, np.random.default_rng(seed))) - grids).std()
        for seed in range(8)
    ]
    assert 2.0 < np.mean(spread) < 4.5
