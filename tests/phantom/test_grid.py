import numpy as np
import pytest

from pipeline_lib.phantom.grid import PARTS_OF_A_SLICE, Grid, random_field, spline_sum

GRID = Grid((24, 20, 6), (4.0, 5.0, 9.0))


def test_the_middle_of_the_grid_is_the_origin():
    middle = (np.array(GRID.size) - 1) / 2
    np.testing.assert_allclose(GRID.affine @ [*middle, 1], [0, 0, 0, 1], atol=1e-12)
    fine = (np.array(GRID.fine_size) - 1) / 2
    np.testing.assert_allclose(GRID.fine_affine @ [*fine, 1], [0, 0, 0, 1], atol=1e-12)


def test_a_slice_is_the_mean_of_its_parts():
    z = np.ascontiguousarray(np.broadcast_to(GRID.axes[2], GRID.fine_size))
    expected = (np.arange(6) - 2.5) * 9.0
    np.testing.assert_allclose(GRID.averaged(z)[0, 0], expected, atol=1e-4)
    assert GRID.fine_size[2] == (6 + 2 * 3) * PARTS_OF_A_SLICE  # 20 mm of 9 mm slices each side


def test_equal_coefficients_give_a_constant():
    field = spline_sum(np.full((12, 12, 10), 2.5), GRID, 15.0)
    np.testing.assert_allclose(field, 2.5, rtol=1e-5)


def test_a_random_field_has_unit_spread_and_is_smooth():
    fields = np.stack([random_field(GRID, 30.0, np.random.default_rng(i)) for i in range(40)])
    assert fields.std() == pytest.approx(1, abs=0.12)
    assert np.abs(np.diff(fields, axis=1)).max() < 0.5 * np.abs(fields).max()
