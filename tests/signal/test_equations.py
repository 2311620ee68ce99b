import numpy as np
import pytest
import torch

from pipeline_lib.signal.equations import longitudinal, signal, signed_signal
from pipeline_lib.signal.sequences import Sequence

SE = Sequence("SE", 0.075, 4.5)
FSE = Sequence("FSE", 0.1, 4.5, te_last=0.16)
IR_SE = Sequence("IR-SE", 0.02, 3.0, 0.5)
FLAIR = Sequence("IR-FSE", 0.1, 9.0, 2.5, 0.16)
ALL = [SE, FSE, IR_SE, FLAIR]
T1 = np.array([0.38, 0.89, 1.41, 4.5])
T2 = np.array([0.068, 0.08, 0.05, 2.2])


def test_values_worked_out_by_hand():
    e = np.exp
    assert signal(SE, 0.8, 1.4, 0.05) == pytest.approx(
        0.8 * (1 - 2 * e(-4.4625 / 1.4) + e(-4.5 / 1.4)) * e(-1.5)
    )
    assert signal(FSE, 0.8, 1.4, 0.05) == pytest.approx(0.8 * (1 - e(-4.34 / 1.4)) * e(-2))
    assert longitudinal(IR_SE, 1.0) == pytest.approx(1 - 2 * e(-0.5) + 2 * e(-2.99) - e(-3.0))
    assert longitudinal(FLAIR, 4.5) == pytest.approx(1 - 2 * e(-2.5 / 4.5) + e(-8.84 / 4.5))


@pytest.mark.parametrize("sequence", ALL, ids=lambda s: s.kind)
def test_a_tissue_that_recovers_at_once_gives_its_density_times_decay(sequence):
    assert signal(sequence, 0.7, 1e-3, 0.05) == pytest.approx(0.7 * np.exp(-sequence.te / 0.05))


def test_short_echo_time_and_long_repetition_time_give_the_density():
    assert signal(Sequence("SE", 1e-6, 59.0), 0.7, 1.0, 0.05) == pytest.approx(0.7, rel=1e-4)


def test_null_point_of_an_inversion_train_counts_from_the_last_echo():
    t1, tr, last = 1.2, 5.0, 0.17
    ti = t1 * (np.log(2) - np.log(1 + np.exp(-(tr - last) / t1)))
    sequence = Sequence("IR-FSE", 0.1, tr, float(ti), last)
    assert abs(longitudinal(sequence, t1)) < 1e-12
    assert longitudinal(sequence, 2 * t1) < 0 < longitudinal(sequence, t1 / 2)


def test_simkos_equation_is_within_two_percent_in_its_protocol_and_far_off_beyond():
    for te, tr in ((0.008, 0.4), (0.008, 0.75), (0.075, 4.5), (0.12, 4.5)):
        protocol = Sequence("SE", te, tr)
        ratio = longitudinal(protocol, T1, "simko") / longitudinal(protocol, T1)
        assert np.all((ratio >= 1) & (ratio < 1.021))
    late = Sequence("SE", 0.5, 1.2)
    assert longitudinal(late, 4.5, "simko") / longitudinal(late, 4.5) > 1.2


def test_simkos_equation_refuses_an_inversion():
    with pytest.raises(ValueError, match="no inversion pulse"):
        longitudinal(FLAIR, 1.0, "simko")


@pytest.mark.parametrize("sequence", ALL, ids=lambda s: s.kind)
def test_torch_gives_what_numpy_gives_and_a_gradient(sequence):
    t1 = torch.tensor(T1, requires_grad=True)
    values = signal(sequence, 0.8, t1, torch.tensor(T2))
    np.testing.assert_allclose(values.detach(), signal(sequence, 0.8, T1, T2), rtol=1e-12)
    values.sum().backward()
    step = 1e-6
    change = signal(sequence, 0.8, T1 + step, T2) - signal(sequence, 0.8, T1 - step, T2)
    np.testing.assert_allclose(t1.grad, change / (2 * step), rtol=1e-4, atol=1e-7)


def test_inverted_tissue_is_negative_before_the_magnitude():
    assert signed_signal(FLAIR, 1.0, 20.0, 1.0) < 0 < signal(FLAIR, 1.0, 20.0, 1.0)
