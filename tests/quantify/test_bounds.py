"""Cramér-Rao bounds and the refusal of protocols that can't tell the parameters apart."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.bounds import check_identifiable, cramer_rao
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from tests.quantify.protocols import SIMKO


def test_bounds_are_those_of_a_fisher_matrix_by_finite_differences():
    parameters = np.array([0.8, 1.412, 0.050])
    sigma = 0.01
    jacobian = np.empty((5, 3))
    for column, step in enumerate(1e-6 * parameters):
        up, down = parameters.copy(), parameters.copy()
        up[column] += step
        down[column] -= step
        jacobian[:, column] = [(signal(s, *up) - signal(s, *down)) / (2 * step) for s in SIMKO]
    expected = sigma * np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    bounds = cramer_rao(SIMKO, *parameters, sigma)
    np.testing.assert_allclose([bounds.pd, bounds.t1, bounds.t2], expected, rtol=1e-5)


def test_bounds_of_simkos_protocol_are_the_known_ones():
    # Shares of the value in percent, sigma 1 % of fat, the brightest, in the PDw contrast.
    sigma = 0.01 * signal(SIMKO[4], 0.9, 0.382, 0.068)
    fat = cramer_rao(SIMKO, 0.9, 0.382, 0.068, sigma)
    assert fat.pd / 0.9 == pytest.approx(0.011, abs=0.001)
    assert fat.t1 / 0.382 == pytest.approx(0.031, abs=0.001)
    assert fat.t2 / 0.068 == pytest.approx(0.022, abs=0.001)
    urine = cramer_rao(SIMKO, 1.0, 3.0, 2.0, sigma)
    assert urine.t2 / 2.0 == pytest.approx(0.269, abs=0.01)


def test_bounds_grow_with_the_noise_and_broadcast():
    bounds = cramer_rao(SIMKO, 0.8, np.array([0.5, 1.0, 2.0]), 0.05, np.array([[0.01], [0.02]]))
    assert bounds.t1.shape == (2, 3)
    np.testing.assert_allclose(bounds.t2[1], 2 * bounds.t2[0])


def test_a_parameter_without_influence_has_an_infinite_bound():
    one_echo = [Sequence("SE", 0.008, tr) for tr in (0.4, 0.75, 4.5)]
    assert cramer_rao(one_echo, 1.0, 1.0, 0.05, 0.01).t2 == np.inf
    assert cramer_rao(SIMKO, 0.0, 1.0, 0.05, 0.01).t2 == np.inf


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        (SIMKO[:2], "at least 3 contrasts"),
        ([Sequence("SE", 0.008, 4.5)] * 5, "T1 can't be told"),
        ([Sequence("SE", 0.008, tr) for tr in (0.4, 0.75, 4.5)], "T2 can't be told"),
        ([Sequence("FSE", te, 4.5, te_last=0.2) for te in (0.01, 0.05, 0.2)], "T1 can't be told"),
    ],
)
def test_contrasts_that_lose_a_parameter_are_refused(sequences, lost):
    with pytest.raises(InputError, match=lost):
        check_identifiable(sequences)


def test_clinical_protocols_are_accepted():
    check_identifiable(SIMKO)
    check_identifiable(
        [
            Sequence("SE", 0.01, 0.5),
            Sequence("FSE", 0.1, 4.0),
            Sequence("IR-FSE", 0.12, 9.0, ti=2.5),
        ]
    )
