"""Registration against known motion: virtual heads, and real scans with published affines."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bias import BiasSettings, n4_log_field
from pipeline_lib.imaging.brain import rough_brain
from pipeline_lib.imaging.masks import body_mask
from pipeline_lib.imaging.registration import (
    RegisterSettings,
    Scan,
    coarsened,
    moved_points,
    register,
    registration_seed,
    resampled,
)
from pipeline_lib.imaging.residual import estimated_residual, simulated_residual
from pipeline_lib.imaging.scans import read_scan, spacing_of
from pipeline_lib.imaging.transforms import (
    mask_points,
    mean_distance,
    read_itk_affine,
    rotation_about,
)
from pipeline_lib.phantom.brain import brain
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.motion import moved_anatomy
from pipeline_lib.phantom.patient import make_patient
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import tissues_at
from tests.imaging.heads import grid
from tests.phantom.plain import signed_image

REAL = Path(__file__).parents[3] / "shared/data/ms_longitudinal"
RIGID = RegisterSettings("rigid")
MOTION = rotation_about(np.array([0.3, -0.5, 1.0]), 5.0, np.zeros(3), np.array([3.0, -3.2, 2.4]))


GRID = Grid((64, 72, 20), (3.0, 3.0, 6.0))
SEQUENCES = {"T1w": Sequence("SE", 0.012, 0.6), "T2w": Sequence("SE", 0.1, 4.5)}


@cache
def patient():
    """A virtual brain; its head has the edges that a registration lives on."""
    fractions = brain(GRID, np.random.default_rng(1))
    return make_patient(GRID, fractions, tissues_at(3.0), [1])


def scan(contrast, motion=None, seed=0):
    fine = signed_image(patient(), SEQUENCES[contrast])
    if motion is not None:
        fine = moved_anatomy(torch.from_numpy(fine), GRID, motion).numpy()
    clean = 1000 * np.abs(GRID.averaged(fine))
    image = with_rician_noise(clean, 8.0, np.random.default_rng(seed))
    return Scan(image, GRID.affine, body_mask(image, GRID.spacing))


@pytest.fixture(scope="module")
def pair():
    """A T1w scan of a head, and a T2w scan of it after 5 mm and 5 degrees."""
    return scan("T1w"), scan("T2w", MOTION, seed=1)


@pytest.fixture(scope="module")
def found(pair):
    return register(*pair, RIGID, 7, Path("unused")).matrix


def test_a_known_motion_is_found_within_half_a_millimetre(pair, found):
    reference, _ = pair
    assert mean_distance(np.eye(4), MOTION, reference.mask, reference.affine) > 4
    assert mean_distance(found, MOTION, reference.mask, reference.affine) < 0.5


def test_two_runs_find_the_same_to_the_last_bit(pair, found):
    np.testing.assert_array_equal(register(*pair, RIGID, 7, Path("unused")).matrix, found)


def test_a_registered_scan_lies_on_the_reference(pair, found):
    reference, moved = pair
    transform = register(*pair, RIGID, 7, Path("unused"))
    still = scan("T2w", seed=1).image
    inner = ndimage.binary_erosion(reference.mask, iterations=3)
    before = np.abs(moved.image - still)[inner].mean()
    after = np.abs(resampled(moved, reference, transform) - still)[inner].mean()
    assert after < 0.5 * before


def test_an_affine_finds_a_stretch_that_a_rigid_transform_cannot(pair):
    reference, _ = pair
    stretch = np.diag([1.04, 0.97, 1.0, 1.0])
    moved = scan("T2w", stretch, seed=1)
    rigid = register(reference, moved, RIGID, 7, Path("unused")).matrix
    affine = register(reference, moved, RegisterSettings("affine"), 7, Path("unused")).matrix
    errors = [mean_distance(m, stretch, reference.mask, reference.affine) for m in (rigid, affine)]
    assert errors[1] < 0.7 < errors[0]


def test_points_follow_the_warp_that_the_image_was_made_with(pair, tmp_path):
    reference, moved = pair
    transform = register(reference, moved, RegisterSettings("syn"), 7, tmp_path / "warp.nii.gz")
    image = resampled(moved, reference, transform)
    inner = ndimage.binary_erosion(reference.mask, iterations=3)
    places = moved_points(transform, mask_points(inner, reference.affine))
    indices = np.linalg.inv(moved.affine)[:3] @ np.c_[places, np.ones(len(places))].T
    read = ndimage.map_coordinates(moved.image, indices, order=1)
    assert (tmp_path / "warp.nii.gz").exists()
    np.testing.assert_allclose(read, image[inner], atol=5.0)


def test_the_residual_is_the_distance_to_the_true_motion(pair):
    reference, _ = pair
    shifted = MOTION.copy()
    shifted[0, 3] += 0.75
    points = mask_points(reference.mask, reference.affine)
    found = np.c_[points, np.ones(len(points))] @ shifted.T
    residual = simulated_residual(found[:, :3], reference.mask, reference.affine, MOTION)
    assert residual.mean == pytest.approx(0.75)
    assert residual.p95 == pytest.approx(0.75)


def test_the_estimate_rises_with_a_known_shift(pair):
    reference, _ = pair
    estimates = []
    for shift in (0.0, 2.0, 4.0):
        motion = np.eye(4)
        motion[0, 3] = shift
        moved = scan("T2w", motion, seed=1)
        estimates.append(
            estimated_residual(reference.image, moved.image, reference.mask, reference.affine).mean
        )
    assert estimates[0] < 0.9
    # It falls short of large shifts, whose blocks differ most, and never hides them.
    assert estimates[1] == pytest.approx(2.0, abs=0.7)
    assert 2.5 < estimates[2] < 4.5


def test_averaging_blocks_keeps_the_world():
    shape, affine = grid((8, 6, 4), (1.0, 1.0, 3.0))
    ramp = np.indices(shape)[0].astype(np.float32)
    coarse, moved = coarsened(ramp, affine, 2.0)
    assert coarse.shape == (4, 3, 4)
    # The value of the ramp at a place is the same on both grids.
    at = moved @ [1, 0, 0, 1]
    assert coarse[1, 0, 0] == pytest.approx((np.linalg.inv(affine) @ at)[0])


def test_seeds_differ_between_contrasts_and_sessions():
    seeds = {registration_seed(1, s, c) for s in ("sub-1", "sub-2") for c in ("T1w", "T2w")}
    assert len(seeds) == 4
    assert min(seeds) > 0


def test_without_registration_a_scan_on_the_references_grid_is_left_alone():
    shape, affine = grid((8, 9, 5))
    image = np.random.default_rng(1).random(shape).astype(np.float32)
    mask = np.ones(shape, dtype=bool)
    reference, other = Scan(1 - image, affine, mask), Scan(image, affine, mask)
    found = register(reference, other, RegisterSettings("none"), 1, Path("unused"))
    np.testing.assert_array_equal(found.matrix, np.eye(4))
    np.testing.assert_array_equal(resampled(other, reference, found), image)


def test_without_registration_another_grid_is_resampled_by_the_scanners_coordinates():
    affine = np.diag([2.0, 2.0, 4.0, 1.0])
    half = affine.copy()
    half[0, 3] = 1.0  # half a voxel to the right, and two voxels shorter
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (8, 6, 4))
    reference = Scan(np.zeros((6, 6, 4), np.float32), half, np.ones((6, 6, 4), bool))
    other = Scan(ramp, affine, np.ones(ramp.shape, bool))
    found = register(reference, other, RegisterSettings("none"), 1, Path("unused"))
    image = resampled(other, reference, found)
    assert image.shape == (6, 6, 4)
    np.testing.assert_allclose(image[:, 2, 2], np.arange(6) + 0.5, atol=1e-5)


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="must be one of rigid, affine, syn, none"):
        RegisterSettings("elastic")


@pytest.fixture(scope="module")
def real_scans():
    """One real session, each scan corrected for bias, and the brain in its FLAIR."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is absent")
    scans = {}
    for contrast in ("T1w", "T2w", "FLAIR"):
        image, affine = read_scan(REAL / f"sub-03/ses-2/anat/sub-03_ses-2_{contrast}.nii.gz")
        mask = body_mask(image, spacing_of(affine))
        settings = BiasSettings(4, (50, 50, 50, 50), 1e-3, 200.0, "per_scan")
        scans[contrast] = Scan(
            image / np.exp(n4_log_field(image, affine, mask, settings)), affine, mask
        )
    flair = scans["FLAIR"]
    return scans, rough_brain(flair.image, flair.mask, spacing_of(flair.affine))


def published(contrast):
    folder = REAL / "derivatives/published_transforms/sub-03/ses-2"
    return read_itk_affine(folder / f"{contrast[:2]}W_intrastudy_to_FLAIR.txt")


@pytest.mark.real
@pytest.mark.parametrize("contrast", ["T1w", "T2w"])
def test_a_real_scan_ends_where_the_published_affine_puts_it(real_scans, contrast):
    scans, inside = real_scans
    found = register(scans["FLAIR"], scans[contrast], RIGID, 1, Path("unused")).matrix
    assert mean_distance(found, published(contrast), inside, scans["FLAIR"].affine) < 0.6


@pytest.mark.real
@pytest.mark.parametrize(("contrast", "seed"), [("T1w", 1), ("T2w", 2)])
def test_a_displaced_real_scan_is_not_lost(real_scans, contrast, seed):
    scans, inside = real_scans
    moving, rng = scans[contrast], np.random.default_rng(seed)
    centre = moving.affine[:3, :3] @ (np.array(moving.image.shape) / 2) + moving.affine[:3, 3]
    direction = rng.standard_normal(3)
    shift = 5.0 * direction / np.linalg.norm(direction)
    motion = rotation_about(rng.standard_normal(3), 5.0, centre, shift)
    displaced = Scan(moving.image, motion @ moving.affine, moving.mask)
    found = register(scans["FLAIR"], displaced, RIGID, 1 + seed, Path("unused")).matrix
    true = motion @ published(contrast)
    assert mean_distance(found, true, inside, scans["FLAIR"].affine) < 0.8
