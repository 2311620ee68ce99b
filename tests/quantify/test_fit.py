"""Fits of simulated voxels: right, at the bound, and the same as SciPy's."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.bounds import cramer_rao
from pipeline_lib.quantify.dictionary import T1_LIMITS, T2_LIMITS
from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.signal.equations import signal, signed_signal, terms_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import MRILAB, tissues_at
from tests.quantify.protocols import SIMKO

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
# Where some estimates of T2 lie far out and take PD along, the standard deviation of PD is 10 %
# above the bound, which holds for small errors; the middle two thirds are within it.
WITH_TAILS = {("csf", "PD"), ("cartilage", "PD")}


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
    tables = [tissues_at(1.5), tissues_at(3.0), MRILAB]
    known = [(t.pd, t.t1, t.t2) for table in tables for t in table.values()]
    # Cortical bone, T2 of 0.45 ms, has no signal that a spin echo could see.
    truth = np.array([*VALUES, *(values for values in known if values[2] > T2_LIMITS[0])])
    assert len(truth) == len(VALUES) + len(known) - 2
    maps = fit(signals_of(truth, sequences, form), sequences, form)
    found = np.stack([maps.pd, maps.t1, maps.t2], axis=1)
    np.testing.assert_allclose(found, truth, rtol=1e-4)
    assert maps.converged.all()
    assert not maps.at_bound.any()


def test_the_unit_of_the_images_scales_pd_and_nothing_else():
    signals, _ = noisy(VALUES, SIMKO, 0.01, seed=1)
    one, thousand = fit(signals, SIMKO), fit(1000 * signals, SIMKO)
    np.testing.assert_allclose(thousand.pd, 1000 * one.pd, rtol=1e-6)
    np.testing.assert_allclose(thousand.t1, one.t1, rtol=1e-6)
    np.testing.assert_allclose(thousand.cost, 1e6 * one.cost, rtol=1e-6)


def scipys_cost(sequences, truth, measured):
    """Cost of SciPy's minimum from the truth, within the box of the fit."""
    terms = [terms_of(sequence) for sequence in sequences]
    times, weights = (
        np.array([[term[part] for term in each] + [0.0] * (3 - len(each)) for each in terms])
        for part in (0, 1)
    )
    te = np.array([sequence.te for sequence in sequences])

    def misfit(x):
        recovered = 1 + (weights * np.exp(-times * np.exp(-x[1]))).sum(axis=1)
        return x[0] * np.abs(recovered) * np.exp(-te * np.exp(-x[2])) - measured

    start = [truth[0], *np.log(truth[1:])]
    tight = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}
    found = least_squares(misfit, start, method="lm", **tight)
    lower = np.array([0, np.log(T1_LIMITS[0]), np.log(T2_LIMITS[0])])
    upper = np.array([np.inf, np.log(T1_LIMITS[1]), np.log(T2_LIMITS[1])])
    if (found.x < lower).any() or (found.x > upper).any():
        found = least_squares(misfit, start, bounds=(lower, upper), **tight)
    return 2 * found.cost


@pytest.mark.parametrize(("sequences", "count"), [(SIMKO, 20_000), (MIXED, 2_000)])
def test_no_voxel_ends_above_the_minimum_that_scipy_finds(sequences, count):
    truth = VALUES[np.arange(count) % len(VALUES)]
    signals, _ = noisy(truth, sequences, 0.01, seed=2)
    found = fit(signals, sequences).cost
    scipys = np.array(
        [scipys_cost(sequences, *voxel) for voxel in zip(truth, signals, strict=True)]
    )
    assert (found <= scipys * (1 + 1e-6)).all()


@pytest.mark.parametrize("sequences", [SIMKO, MIXED])
def test_scatter_with_one_percent_noise_reaches_the_cramer_rao_bound(sequences):
    rng, sigma, seen = np.random.default_rng(4), 0.01 * signals_of(VALUES, sequences).max(), 0
    for name, values in TISSUES.items():
        clean = signals_of(np.array([values]), sequences)
        if clean.min() < 3 * sigma:
            continue  # The bound does not know that next to a null the sign is not known.
        maps = fit(clean + sigma * rng.standard_normal((40_000, clean.shape[1])), sequences)
        bounds = cramer_rao(sequences, *values, sigma)
        for parameter, found, bound, value in zip(
            ("PD", "T1", "T2"),
            (maps.pd, maps.t1, maps.t2),
            (bounds.pd, bounds.t1, bounds.t2),
            values,
            strict=True,
        ):
            if bound < 0.1 * value:
                seen += 1
                low, high = np.quantile(found, [0.1587, 0.8413])
                assert (high - low) / 2 == pytest.approx(bound, rel=0.05), (name, parameter)
                if (name, parameter) not in WITH_TAILS:
                    assert found.std() == pytest.approx(bound, rel=0.05), (name, parameter)
    assert seen > 20


def test_a_voxel_without_signal_has_no_pd_and_lies_below_the_noise():
    maps = fit(np.zeros((2, 5)), SIMKO)
    assert (maps.pd == 0).all()
    assert (maps.flag == Flag.BELOW_NOISE).all()
    assert not maps.converged.any()
    assert np.isfinite(maps.t1).all()


def test_a_signal_below_three_times_the_noise_is_told():
    signals = signals_of(VALUES[:2], SIMKO)
    maps = fit(signals, SIMKO, sigma=signals[1].max() / 2.9)
    assert (maps.flag == Flag.BELOW_NOISE).tolist() == [False, True]


def test_a_time_whose_bound_is_longer_than_itself_is_told():
    # Urine of T2 2 s has a bound of 27 % with 1 % noise, after echoes of 120 ms at most.
    signals = signals_of(np.array([[1.0, 3.0, 2.0], VALUES[0]]), SIMKO)
    brightest = signals_of(VALUES, SIMKO).max()
    assert fit(signals, SIMKO, sigma=0.01 * brightest).flag.tolist() == [Flag.CONVERGED] * 2
    one, other = fit(signals, SIMKO, sigma=0.05 * brightest).flag.tolist()
    assert (one, other) == (Flag.UNIDENTIFIABLE, Flag.CONVERGED)


def test_a_time_on_its_limit_is_told():
    beyond = np.array([[1.0, 3.0, 50.0], VALUES[0]])
    maps = fit(signals_of(beyond, SIMKO), SIMKO)
    assert maps.t2[0] == pytest.approx(T2_LIMITS[1])
    assert maps.flag.tolist() == [Flag.AT_BOUND, Flag.CONVERGED]


@pytest.mark.parametrize("sequences", [SIMKO, MIXED])
def test_bounds_of_a_fit_are_the_cramer_rao_bounds_at_its_estimates(sequences):
    signals, sigma = noisy(VALUES, sequences, 0.01, seed=6)
    maps = fit(signals, sequences, sigma=sigma)
    bounds = cramer_rao(sequences, maps.pd, maps.t1, maps.t2, sigma)
    np.testing.assert_allclose(maps.pd_bound, bounds.pd, rtol=1e-6)
    np.testing.assert_allclose(maps.t1_bound, bounds.t1, rtol=1e-6)
    np.testing.assert_allclose(maps.t2_bound, bounds.t2, rtol=1e-6)


def test_noise_that_is_not_given_comes_from_the_residuals():
    signals, sigma = noisy(np.tile(VALUES[:9], (1000, 1)), MIXED, 0.01, seed=7)
    maps = fit(signals, MIXED)
    assert maps.sigma == pytest.approx(sigma, rel=0.05)
    np.testing.assert_allclose(maps.residual**2 * len(MIXED), maps.cost)


def test_three_contrasts_leave_the_bounds_open_unless_the_noise_is_given():
    three = [SIMKO[0], SIMKO[2], SIMKO[4]]
    signals = signals_of(VALUES[:4], three)
    assert np.isnan(fit(signals, three).t1_bound).all()
    assert np.isfinite(fit(signals, three, sigma=0.001).t1_bound).all()


def test_a_contrast_with_a_gain_of_its_own_is_fitted_with_it():
    gains = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])
    maps = fit(gains * signals_of(VALUES, MIXED), MIXED, gains=gains)
    np.testing.assert_allclose(np.stack([maps.pd, maps.t1, maps.t2], 1), VALUES, rtol=1e-4)
    ignored = fit(gains * signals_of(VALUES, MIXED), MIXED)
    assert abs(ignored.t1 / VALUES[:, 1] - 1).max() > 0.1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gains": [1, 1, 0, 1, 1]}, "gains of contrasts are positive"),
        ({"sigma": -1.0}, "standard deviation is positive"),
        ({"rician": True}, "needs the standard deviation of the noise"),
    ],
)
def test_a_scanner_that_can_not_be_is_refused(options, told):
    with pytest.raises(InputError, match=told):
        fit(signals_of(VALUES, SIMKO), SIMKO, **options)


def test_the_sign_that_a_magnitude_lost_is_found_on_both_sides_of_the_null():
    flair = next(s for s in MIXED if s.ti == 2.5)
    null = SignalModel([flair]).null_points(1.0, 10.0)[0]
    truth = np.array([[0.9, share * null, 0.3] for share in (0.5, 0.9, 0.98, 1.02, 1.1, 1.6)])
    signs = np.sign([signed_signal(flair, *row) for row in truth])
    assert signs.tolist() == [1, 1, 1, -1, -1, -1]
    maps = fit(signals_of(truth, MIXED), MIXED)
    np.testing.assert_allclose(maps.t1, truth[:, 1], rtol=1e-4)


def test_of_two_exact_answers_the_shorter_t1_is_given():
    three = [
        Sequence("IR-SE", 0.015, 5.0, ti=0.4),
        Sequence("IR-SE", 0.015, 5.0, ti=1.2),
        Sequence("SE", 0.09, 5.0),
    ]
    signals = signals_of(VALUES[:2], three)
    maps = fit(signals, three)
    assert (maps.cost < 1e-12).all()
    # Fat; and muscle, whose own T1 is the longer of two.
    assert maps.t1[0] == pytest.approx(0.382, rel=1e-4)
    assert maps.t1[1] < 1.412 * (1 + 1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_finds_what_the_processor_finds():
    signals, sigma = noisy(np.tile(VALUES, (2000, 1)), MIXED, 0.01, seed=8)
    here, there = (fit(signals, MIXED, sigma=sigma, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_array_equal(there.flag, here.flag)
    np.testing.assert_allclose(there.cost, here.cost, rtol=1e-8)
    settled = here.flag == Flag.CONVERGED
    np.testing.assert_allclose(there.t1[settled], here.t1[settled], rtol=1e-5)
    np.testing.assert_allclose(there.t2[settled], here.t2[settled], rtol=1e-5)


def test_the_number_of_threads_changes_nothing():
    signals, _ = noisy(np.tile(VALUES, (300, 1)), MIXED, 0.01, seed=9)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(fit(signals, MIXED))
    torch.set_num_threads(before)
    assert (np.abs(found[0].t1 - found[1].t1) < 1e-4 * found[0].t1_bound).all()
    np.testing.assert_array_equal(found[0].flag, found[1].flag)


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
