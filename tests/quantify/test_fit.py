"""Fits of simulated voxels: right, at the bound, and the same as SciPy's."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.bounds import cramer_rao
from pipeline_lib.quantify.dictionary import T1_LIMITS, T2_LIMITS
from pipeline_lib.quantify.fit import fit
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

SIMKO = [
    Sequence("SE", 0.075, 4.5),
    Sequence("SE", 0.12, 4.5),
    Sequence("SE", 0.008, 0.4),
    Sequence("SE", 0.008, 0.75),
    Sequence("SE", 0.008, 4.5),
]
MIXED = [
    Sequence("FSE", 0.01, 2.5, te_last=0.17),
    Sequence("FSE", 0.1, 4.0, te_last=0.17),
    Sequence("IR-FSE", 0.1, 9.0, ti=2.5, te_last=0.3),
    Sequence("IR-FSE", 0.01, 2.0, ti=0.75, te_last=0.17),
    Sequence("IR-SE", 0.015, 3.0, ti=0.4),
    Sequence("SE", 0.015, 0.5),
]
# PD, T1 (s), T2 (s) of head and pelvis at 3 T.
TISSUES = {
    "fat": (0.90, 0.382, 0.068),
    "muscle": (0.80, 1.412, 0.050),
    "marrow": (0.75, 0.586, 0.049),
    "prostate": (0.85, 1.597, 0.074),
    "urine": (1.00, 3.0, 1.0),
    "csf": (1.00, 4.5, 2.2),
    "grey matter": (0.84, 1.295, 0.100),
    "white matter": (0.69, 0.887, 0.080),
    "blood": (0.90, 1.932, 0.275),
    "liver": (0.80, 0.809, 0.034),
    "cartilage": (0.75, 1.168, 0.027),
    "skull": (0.05, 0.1, 0.01),
}
VALUES = np.array(list(TISSUES.values()))


def signals_of(values, sequences, form="exact"):
    return np.stack([signal(sequence, *values.T, form) for sequence in sequences], axis=1)


def noisy(values, sequences, share, seed):
    clean = signals_of(values, sequences)
    sigma = share * signals_of(VALUES, sequences).max()
    rng = np.random.default_rng(seed)
    return np.hypot(
        clean + sigma * rng.standard_normal(clean.shape), sigma * rng.standard_normal(clean.shape)
    ), sigma


@pytest.mark.parametrize(
    ("sequences", "form"), [(SIMKO, "exact"), (SIMKO, "simko"), (MIXED, "exact")]
)
def test_noise_free_signals_of_every_tissue_give_its_values_back(sequences, form):
    maps = fit(signals_of(VALUES, sequences, form), sequences, form)
    found = np.stack([maps.pd, maps.t1, maps.t2], axis=1)
    np.testing.assert_allclose(found, VALUES, rtol=1e-4)
    assert maps.converged.all()
    assert not maps.at_bound.any()


def test_the_unit_of_the_images_scales_pd_and_nothing_else():
    signals, _ = noisy(VALUES, SIMKO, 0.01, seed=1)
    one, thousand = fit(signals, SIMKO), fit(1000 * signals, SIMKO)
    np.testing.assert_allclose(thousand.pd, 1000 * one.pd, rtol=1e-6)
    np.testing.assert_allclose(thousand.t1, one.t1, rtol=1e-6)
    np.testing.assert_allclose(thousand.cost, 1e6 * one.cost, rtol=1e-6)


@pytest.mark.parametrize("sequences", [SIMKO, MIXED])
def test_no_voxel_ends_above_the_minimum_that_scipy_finds(sequences):
    truth = VALUES[np.arange(300) % len(VALUES)]
    signals, _ = noisy(truth, sequences, 0.01, seed=2)
    maps = fit(signals, sequences)
    lower = [0, np.log(T1_LIMITS[0]), np.log(T2_LIMITS[0])]
    upper = [np.inf, np.log(T1_LIMITS[1]), np.log(T2_LIMITS[1])]
    for voxel, (pd, t1, t2) in enumerate(truth):
        found = least_squares(
            lambda x, voxel=voxel: (
                signals_of(np.array([[x[0], np.exp(x[1]), np.exp(x[2])]]), sequences)[0]
                - signals[voxel]
            ),
            [pd, np.log(t1), np.log(t2)],
            bounds=(lower, upper),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        assert maps.cost[voxel] <= 2 * found.cost * (1 + 1e-6)


@pytest.mark.parametrize("sequences", [SIMKO, MIXED])
def test_scatter_with_one_percent_noise_reaches_the_cramer_rao_bound(sequences):
    count = 20_000
    for name in ("fat", "muscle", "prostate", "white matter", "urine"):
        truth = np.array(TISSUES[name])
        signals, sigma = noisy(np.tile(truth, (count, 1)), sequences, 0.01, seed=3)
        signals = signals_of(truth[None], sequences) + sigma * np.random.default_rng(
            4
        ).standard_normal(signals.shape)
        maps = fit(signals, sequences)
        bounds = cramer_rao(sequences, *truth, sigma)
        for found, bound, value in (
            (maps.pd, bounds.pd, truth[0]),
            (maps.t1, bounds.t1, truth[1]),
            (maps.t2, bounds.t2, truth[2]),
        ):
            if bound < 0.1 * value:
                assert found.std() == pytest.approx(bound, rel=0.05), name


def test_a_voxel_without_signal_has_no_pd_and_did_not_converge():
    maps = fit(np.zeros((2, 5)), SIMKO)
    assert (maps.pd == 0).all()
    assert not maps.converged.any()
    assert np.isfinite(maps.t1).all()


def test_a_time_on_its_limit_is_told():
    beyond = np.array([[1.0, 3.0, 50.0], VALUES[0]])
    maps = fit(signals_of(beyond, SIMKO), SIMKO)
    assert maps.t2[0] == pytest.approx(T2_LIMITS[1])
    assert maps.at_bound.tolist() == [True, False]


def test_a_voxel_is_fitted_alike_alone_and_among_many():
    signals, _ = noisy(np.tile(VALUES, (400, 1)), MIXED, 0.02, seed=5)
    many = fit(signals, MIXED)
    for voxel in (0, 4095, 4096, len(signals) - 1):
        alone = fit(signals[voxel : voxel + 1], MIXED)
        assert alone.t1[0] == pytest.approx(many.t1[voxel], rel=1e-6)


def test_no_voxels_give_empty_maps():
    assert fit(np.empty((0, 5)), SIMKO).t1.shape == (0,)


def test_nan_is_refused():
    with pytest.raises(InputError, match="NaN"):
        fit(np.full((1, 5), np.nan), SIMKO)


def test_signals_of_another_number_of_contrasts_are_refused():
    with pytest.raises(ValueError, match="voxel, 5"):
        fit(np.ones((7, 4)), SIMKO)
