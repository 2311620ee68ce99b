"""The oracle: maps of all contrasts, then the signal equation."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.oracle import check_fitted, fitted_contrasts, least_squares
from pipeline_lib.signal.sequences import Sequence
from tests.evaluation.fabricate import CONTRASTS, patient

FIVE = {
    "a": Sequence("SE", 0.075, 4.5),
    "b": Sequence("SE", 0.12, 4.5),
    "c": Sequence("SE", 0.008, 0.4),
    "d": Sequence("SE", 0.008, 0.75),
    "e": Sequence("SE", 0.008, 4.5),
}


def test_without_noise_it_is_the_acquired_image():
    slices = patient("sub-001", noise=0, contrasts=FIVE)
    answer = least_squares(slices)
    inside = slices.body > 0
    for target in range(5):
        found = answer(0, target)
        np.testing.assert_allclose(found[inside], slices.images[:, target][inside], rtol=1e-4)
        assert (found[~inside] == 0).all()


def test_it_averages_noise_and_does_not_look_at_the_source():
    noisy = patient("sub-001", noise=0.02, contrasts=FIVE)
    clean = patient("sub-001", noise=0, contrasts=FIVE)
    answer = least_squares(noisy)
    inside = noisy.body > 0
    ours = [(answer(1, t) - clean.images[:, t])[inside].std() for t in range(5)]
    theirs = [(noisy.images - clean.images)[:, t][inside].std() for t in range(5)]
    # Three parameters of five contrasts keep 3/5 of the variance.
    assert np.linalg.norm(ours) == pytest.approx(0.6**0.5 * np.linalg.norm(theirs), rel=0.05)
    np.testing.assert_array_equal(answer(1, 4), answer(2, 4))


def test_the_signal_equation_is_the_one_that_is_asked_for():
    slices = patient("sub-001", noise=0, contrasts=FIVE)
    inside = slices.body > 0
    for form, (least, most) in {"exact": (0, 1e-5), "simko": (3e-4, 1)}.items():
        error = least_squares(slices, form)(0, 4)[inside] - slices.images[:, 4][inside]
        assert least <= np.abs(error).max() <= most  # the images follow the exact equation


def test_of_many_contrasts_32_are_fitted_from_the_first_to_the_last():
    many = {f"c{n}": Sequence("SE", 0.02 + n * 0.002, 1.2 + n * 0.04) for n in range(200)}
    slices = patient("sub-001", size=8, slices=1, contrasts=many)
    fitted = fitted_contrasts(slices)
    assert (fitted[0], fitted[-1], len(set(fitted))) == (0, 199, 32)
    assert set(np.diff(fitted)) == {6, 7}
    spoiled = slices.images.copy()
    spoiled[:, [n for n in range(200) if n not in fitted]] = 1000
    spoiled = least_squares(replace(slices, images=spoiled))
    np.testing.assert_array_equal(spoiled(0, 1), least_squares(slices)(0, 1))


def test_contrasts_that_tell_too_little_are_refused():
    two = dict(list(CONTRASTS.items())[:2])
    with pytest.raises(InputError, match="at least 3 contrasts"):
        check_fitted(patient("sub-001", contrasts=two))
    same_tr = {f"c{n}": Sequence("SE", 0.01 * (n + 1), 4.5) for n in range(4)}
    with pytest.raises(InputError, match="T1 can't be told"):
        check_fitted(patient("sub-001", contrasts=same_tr))
    check_fitted(patient("sub-001"))
