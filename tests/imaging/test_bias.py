"""N4: the field's shape is found, no scan gets a gain of its own, sessions can share one field."""

import dataclasses

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bias import (
    BiasSettings,
    n4_log_field,
    resampled_field,
    shared_log_fields,
)
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.scans import spacing_of, to_orientation
from pipeline_lib.imaging.transforms import apply
from tests.imaging.heads import grid, head

SETTINGS = BiasSettings(
    shrink=2, iterations=[30, 30, 30], tolerance=1e-4, spline_spacing=200.0, field="shared"
)


def log_field(shape, affine, strength=0.15):
    points = apply(affine, np.indices(shape).reshape(3, -1).T)
    wave = np.sin(points @ [0.012, 0.008, 0.004] + 0.5)
    return np.log1p(strength * wave).reshape(shape).astype(np.float32)


@pytest.fixture(scope="module")
def shaded():
    shape, affine = grid()
    clean = head("T1w", shape, affine, noise=0.01)
    truth = log_field(shape, affine)
    return clean, truth, affine, body_mask(clean, spacing_of(affine))


def test_n4_removes_most_of_a_known_field(shaded):
    clean, truth, affine, mask = shaded
    found = n4_log_field(clean * np.exp(truth), affine, mask, SETTINGS)
    control = n4_log_field(clean, affine, mask, SETTINGS)
    error = (found - truth)[mask].std()
    assert error < 0.6 * truth[mask].std()
    # What N4 takes for a field in the clean head is the anatomy's, not the shading's.
    assert (found - control - truth)[mask].std() < 0.35 * truth[mask].std()


def test_the_log_fields_mean_within_the_mask_is_zero(shaded):
    clean, truth, affine, mask = shaded
    found = n4_log_field(clean * np.exp(truth), affine, mask, SETTINGS)
    assert abs(found[mask].mean(dtype=np.float64)) < 1e-6


def test_a_gain_of_the_scan_is_no_field(shaded):
    clean, truth, affine, mask = shaded
    once = n4_log_field(clean * np.exp(truth), affine, mask, SETTINGS)
    tenfold = n4_log_field(10 * clean * np.exp(truth), affine, mask, SETTINGS)
    np.testing.assert_allclose(tenfold, once, atol=2e-3)


def test_outside_the_body_the_field_stays_within_its_values_inside(shaded):
    clean, truth, affine, mask = shaded
    found = n4_log_field(clean * np.exp(truth), affine, mask, SETTINGS)
    assert found.min() >= found[mask].min() - 1e-6
    assert found.max() <= found[mask].max() + 1e-6


def test_a_shared_field_keeps_the_ratio_of_two_contrasts(shaded):
    _, truth, affine, mask = shaded
    own = [truth, (0.5 * truth**2 + 0.1).astype(np.float32)]
    # Masks of different size, as contrasts give them: still one and the same factor a voxel.
    smaller = mask & (np.indices(mask.shape)[0] > 30)
    first, second = shared_log_fields(own, [affine, affine], [mask, smaller])
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert abs(first[mask].mean() + second[smaller].mean()) < 1e-5


def test_a_shared_field_is_the_same_place_by_place_on_grids_of_any_orientation(shaded):
    _, truth, affine, mask = shaded
    turned, turned_affine = to_orientation(truth, affine, "PIL")
    turned_mask, _ = to_orientation(mask, affine, "PIL")
    first, second = shared_log_fields(
        [truth, np.ascontiguousarray(turned)], [affine, turned_affine], [mask, turned_mask]
    )
    back, _ = to_orientation(second, turned_affine, "RAS")
    np.testing.assert_allclose(back, first, atol=1e-4)
    np.testing.assert_allclose(first, truth - truth[mask].mean(), atol=1e-4)


def test_a_field_goes_on_with_its_border_beyond_its_field_of_view():
    field = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], (4, 3, 3)).copy()
    target = np.eye(4)
    target[0, 3] = -2.0  # two voxels further to the left
    wider = resampled_field(field, np.eye(4), (8, 3, 3), target)
    np.testing.assert_allclose(wider[:, 1, 1], [0, 0, 0, 1, 2, 3, 3, 3])


def test_a_field_is_resampled_between_its_voxels():
    field = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], (4, 3, 3)).copy()
    target = np.diag([0.5, 1, 1, 1])
    finer = resampled_field(field, np.diag([1.0, 1, 1, 1]), (7, 3, 3), target)
    np.testing.assert_allclose(finer[:, 0, 0], [0, 0.5, 1, 1.5, 2, 2.5, 3])


def test_an_unknown_kind_of_field_is_refused():
    with pytest.raises(InputError, match=r"correct_bias\.field is 'mean'"):
        dataclasses.replace(SETTINGS, field="mean")


def test_a_sheared_grid_is_refused(shaded):
    clean, _, affine, mask = shaded
    sheared = affine.copy()
    sheared[0, 1] = 1.0
    with pytest.raises(InputError, match="not at right angles"):
        n4_log_field(clean, sheared, mask, SETTINGS)
