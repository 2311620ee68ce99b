"""The exponential form of the signal equations, and its derivatives."""

import numpy as np
import pytest
import torch

from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.signal.equations import signed_signal
from pipeline_lib.signal.sequences import Sequence

SEQUENCES = [
    Sequence("SE", 0.08, 0.75),
    Sequence("FSE", 0.1, 3.0),
    Sequence("FSE", 0.1, 3.0, te_last=0.2),
    Sequence("IR-SE", 0.02, 3.0, ti=0.4),
    Sequence("IR-FSE", 0.1, 9.0, ti=2.5, te_last=0.3),
]
RNG = np.random.default_rng(0)
LOG_T1 = torch.from_numpy(np.log(RNG.uniform(0.05, 5, 500)))
LOG_T2 = torch.from_numpy(np.log(RNG.uniform(0.01, 2, 500)))


@pytest.mark.parametrize("form", ["exact", "simko"])
def test_signals_are_those_of_the_signal_equations(form):
    sequences = [s for s in SEQUENCES if form == "exact" or not s.has_inversion]
    expected = [signed_signal(s, 1.0, LOG_T1.exp(), LOG_T2.exp(), form) for s in sequences]
    value = SignalModel(sequences, form).evaluate(LOG_T1, LOG_T2).value
    np.testing.assert_allclose(value, torch.stack(expected), rtol=1e-9, atol=1e-14)


def test_derivatives_are_those_of_finite_differences():
    model = SignalModel(SEQUENCES)
    step = 1e-6
    here = model.evaluate(LOG_T1, LOG_T2)
    by_t1 = (
        model.evaluate(LOG_T1 + step, LOG_T2).value - model.evaluate(LOG_T1 - step, LOG_T2).value
    ) / (2 * step)
    by_t2 = (
        model.evaluate(LOG_T1, LOG_T2 + step).value - model.evaluate(LOG_T1, LOG_T2 - step).value
    ) / (2 * step)
    np.testing.assert_allclose(here.by_log_t1, by_t1, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(here.by_log_t2, by_t2, rtol=1e-5, atol=1e-8)


def test_gains_stretch_a_contrast_and_its_derivatives():
    gains = [1.0, 2.0, 0.5, 3.0, 1.5]
    plain = SignalModel(SEQUENCES).evaluate(LOG_T1, LOG_T2)
    stretched = SignalModel(SEQUENCES, gains=gains).evaluate(LOG_T1, LOG_T2)
    for before, after in zip(plain, stretched, strict=True):
        np.testing.assert_allclose(after, torch.tensor(gains)[:, None] * before, rtol=1e-12)


def test_an_inverted_tissue_vanishes_at_the_null_point():
    flair = Sequence("IR-FSE", 0.1, 9.0, ti=2.5, te_last=0.3)
    (null,) = SignalModel([flair]).null_points(0.001, 10.0)
    assert abs(signed_signal(flair, 1.0, null, 10.0)) < 2e-3
    assert signed_signal(flair, 1.0, 0.9 * null, 10.0) > 0.02
    assert signed_signal(flair, 1.0, 1.1 * null, 10.0) < -0.02


def test_sequences_without_inversion_have_no_null_point():
    assert SignalModel(SEQUENCES[:3]).null_points(0.001, 10.0) == []
