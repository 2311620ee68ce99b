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


def test_slices_as_thick_as_their_spacing_touch():
    touching = GRID.parts_of_a_slice()
    assert touching == pytest.approx({0: 1 / 3, 1: 1 / 3, 2: 1 / 3})
    assert GRID.parts_of_a_slice(9.0) == pytest.approx(touching)


@pytest.mark.parametrize(
    ("thickness", "expected"),
    [
        (3.0, {1: 1.0}),
        (4.5, {0: 1 / 6, 1: 2 / 3, 2: 1 / 6}),
        (15.0, {-1: 0.2, 0: 0.2, 1: 0.2, 2: 0.2, 3: 0.2}),
    ],
)
def test_a_slice_covers_parts_of_the_anatomy_as_far_as_it_reaches(thickness, expected):
    assert GRID.parts_of_a_slice(thickness) == pytest.approx(expected)


@pytest.mark.parametrize("thickness", [None, 4.5, 15.0])
def test_places_on_the_scan_are_those_of_the_average(thickness):
    fine = np.random.default_rng(2).uniform(size=GRID.fine_size).astype(np.float32)
    where = np.flatnonzero(fine > 0.4)
    fine[fine <= 0.4] = 0
    total = np.zeros(int(np.prod(GRID.size)))
    for chosen, places, weight in GRID.places_on_scan(where, thickness):
        assert len(np.unique(places)) == len(places)
        total[places] += weight * fine.ravel()[where[chosen]]
    averaged = GRID.averaged(fine, thickness)
    np.testing.assert_allclose(total.reshape(GRID.size), averaged, atol=1e-6)
    assert averaged.dtype == np.float32


def test_a_field_on_the_scan_is_the_average_of_the_fine_one():
    coefficients = np.random.default_rng(5).standard_normal((8, 8, 8))
    fine = spline_sum(coefficients, GRID, 40.0)
    on_scan = spline_sum(coefficients, GRID, 40.0, on_scan=True)
    np.testing.assert_allclose(on_scan, GRID.averaged(fine), atol=1e-5)


@pytest.mark.parametrize("thickness", [None, 3.0, 15.0])
def test_slices_are_made_of_the_parts_on_the_scan_alone(thickness):
    fine = np.ones(GRID.fine_size, dtype=np.float32)
    wanted = GRID.parts_on_scan(thickness)
    kept = np.zeros_like(fine)
    kept[:, :, wanted] = fine[:, :, wanted]
    np.testing.assert_allclose(GRID.averaged(kept, thickness), 1, rtol=1e-6)
    kept[:, :, wanted.start] = kept[:, :, wanted.stop - 1] = 0
    assert (GRID.averaged(kept, thickness)[:, :, [0, -1]] < 1).all()
