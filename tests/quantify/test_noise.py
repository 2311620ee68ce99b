"""The noise that residuals show."""

import numpy as np
import pytest

from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.noise import noise_of_residuals
from pipeline_lib.signal.equations import signal
from tests.quantify.protocols import SIMKO


def test_residuals_give_the_noise_back_even_with_some_bad_voxels():
    rng = np.random.default_rng(0)
    clean = np.array([signal(s, 0.8, 1.4, 0.05) for s in SIMKO])
    maps = fit(clean + 0.01 * rng.standard_normal((20_000, 5)), SIMKO)
    assert noise_of_residuals(maps.cost, 5) == pytest.approx(0.01, rel=0.02)
    assert maps.sigma == noise_of_residuals(maps.cost, 5)
    cost = maps.cost.copy()
    cost[:1000] = 1.0
    assert noise_of_residuals(cost, 5) == pytest.approx(0.01, rel=0.06)


def test_three_contrasts_leave_no_residual_to_tell_the_noise():
    assert np.isnan(noise_of_residuals(np.zeros(10), 3))
