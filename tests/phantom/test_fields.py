import numpy as np
import pytest
from scipy import ndimage

from pipeline_lib.phantom.fields import (
    chemical_shift,
    dipole_field,
    main_field,
    pixels_of,
    transmit_field,
)
from pipeline_lib.phantom.grid import Grid

GRID = Grid((72, 48, 10), (6.0, 6.0, 6.0))
X, Y, Z = np.meshgrid(
    *((np.arange(n) - (n - 1) / 2) * 6.0 for n in GRID.size), indexing="ij", sparse=True
)
GAS = X**2 + (Y + 40) ** 2 + Z**2 < 15**2
TRUNK = ((X / 180) ** 2 + (Y / 115) ** 2 < 1) & (np.abs(Z) < 1e9)
BODY = TRUNK & ~GAS


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_transmit_field_spans_its_share_about_one(share):
    field = transmit_field(GRID, BODY, share, rng())
    assert field.shape == GRID.fine_size
    assert field.dtype == np.float32
    inside = GRID.averaged(field)[BODY]
    assert inside.mean() == pytest.approx(1, abs=1e-4)
    assert np.ptp(inside) == pytest.approx(share, rel=1e-3)
    assert field.min() >= 1 - 0.75 * share - 1e-6
    assert field.max() <= 1 + 0.75 * share + 1e-6


def test_the_transmit_field_is_strongest_in_the_middle():
    mean = np.mean([transmit_field(GRID, BODY, 0.4, rng(seed)) for seed in range(8)], axis=0)
    middle = GRID.averaged(mean)[30:42, 18:30].mean()
    inner = ndimage.binary_erosion(TRUNK, iterations=3, border_value=1)
    edge = GRID.averaged(mean)[TRUNK & ~inner].mean()
    assert 0.2 < middle - edge < 0.4


def test_the_transmit_field_is_smooth():
    field = GRID.averaged(transmit_field(GRID, BODY, 0.4, rng()))
    for axis in range(2):
        assert np.abs(np.diff(field, axis=axis))[4:-4, 4:-4].max() < 0.4 * 0.15


@pytest.mark.parametrize("field", [transmit_field, main_field])
def test_a_field_repeats_with_its_seed_and_differs_with_another(field):
    one, again, other = (field(GRID, BODY, 0.4, rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.02


def test_fields_of_no_size_leave_all_as_it_is():
    np.testing.assert_array_equal(transmit_field(GRID, BODY, 0.0, rng()), 1)
    np.testing.assert_array_equal(main_field(GRID, BODY, 0.0, rng()), 0)


def test_the_main_field_peaks_at_its_ppm_and_is_shimmed():
    field = GRID.averaged(main_field(GRID, BODY, 1.5, rng()))
    assert np.abs(field[BODY]).max() == pytest.approx(1.5, rel=1e-3)
    assert abs(field[BODY].mean()) < 0.01
    for axis in np.broadcast_arrays(X, Y, Z):
        assert abs(np.corrcoef(axis[BODY], field[BODY])[0, 1]) < 0.01


def test_the_main_field_is_steeper_near_the_air():
    steepness = np.mean(
        [
            np.linalg.norm(
                np.gradient(GRID.averaged(main_field(GRID, BODY, 1.0, rng(seed)))), axis=0
            )
            for seed in range(4)
        ],
        axis=0,
    )
    near = ndimage.binary_dilation(GAS, iterations=2) & BODY
    far = BODY & ~ndimage.binary_dilation(~BODY, iterations=6)
    assert steepness[near].mean() > 3 * steepness[far].mean()


def test_a_ball_of_tissue_has_the_dipoles_field():
    # Outside a ball: chi / 3 (a / r)^3 (3 cos^2 - 1); within it none (Lorentz sphere).
    axes = np.meshgrid(*(np.arange(96) - 47.5,) * 3, indexing="ij", sparse=True)
    distance = np.sqrt(sum(axis**2 for axis in axes))
    radius, chi = 16.0, -9.0
    ball = np.clip(radius + 0.5 - distance, 0, 1)
    field = dipole_field(chi * ball)
    expected = chi / 3 * (radius / distance) ** 3 * (3 * (axes[2] / distance) ** 2 - 1)
    outside = (distance > 20) & (distance < 28)
    # Repetition of the ball and its jagged edge leave some percent of the largest value.
    assert np.abs(field - expected)[outside].max() < 0.06 * np.abs(expected[outside]).max()
    assert np.abs(field[distance < 12]).max() < 0.02 * abs(chi)
    assert field[48, 48, 70] < 0 < field[70, 48, 48]


def test_the_surface_of_a_cylinder_along_the_field_is_no_step():
    # Within it the field is the same everywhere; its step at the surface is outside.
    whole = np.broadcast_to(TRUNK, GRID.size)
    field = GRID.averaged(main_field(GRID, BODY, 1.0, rng()))
    rim = whole & ~ndimage.binary_erosion(TRUNK, border_value=1)
    assert np.abs(field[rim]).mean() < 2 * np.abs(field[BODY]).mean()
    near_gas = ndimage.binary_dilation(GAS, iterations=2) & BODY
    assert np.unravel_index(np.abs(np.where(BODY, field, 0)).argmax(), GRID.size) in set(
        zip(*np.nonzero(near_gas), strict=True)
    )


def test_one_slice_has_fields_too():
    grid = Grid((24, 20, 1), (15.0, 12.0, 5.0))
    body = np.zeros(grid.size, dtype=bool)
    body[4:-4, 4:-4] = True
    assert np.isfinite(main_field(grid, body, 1.0, rng())).all()
    assert np.isfinite(transmit_field(grid, body, 0.3, rng())).all()


def test_fat_is_pushed_three_pixels_at_its_usual_bandwidth():
    assert chemical_shift("muscle") == 0
    assert chemical_shift("marrow") == chemical_shift("fat") == -3.4
    # 3.4 ppm of 127.7 MHz are 434 Hz.
    assert pixels_of(chemical_shift("fat"), 3.0, 217.0) == pytest.approx(-2.0, rel=1e-2)
