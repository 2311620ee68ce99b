"""Many sequences at once."""

import numpy as np
import pytest
import torch

from pipeline_lib.signal.equations import signal, signed_signal
from pipeline_lib.signal.protocol import Protocol
from pipeline_lib.signal.sequences import Sequence

ALL = [
    Sequence("SE", 0.075, 4.5),
    Sequence("FSE", 0.1, 4.5, te_last=0.16),
    Sequence("IR-SE", 0.02, 3.0, 0.5),
    Sequence("IR-FSE", 0.1, 9.0, 2.5, 0.16),
]
RNG = np.random.default_rng(0)
PD, T1, T2 = RNG.uniform([[0.5]], 1.0, (1, 12)), RNG.uniform(0.1, 5, 12), RNG.uniform(0.02, 2, 12)


@pytest.mark.parametrize("form", ["exact", "simko"])
def test_each_contrast_has_the_signal_of_its_own_equation(form):
    sequences = ALL if form == "exact" else ALL[:2]
    tissue = [torch.tensor(values).reshape(3, 4) for values in (PD, T1, T2)]
    protocol = Protocol.of(sequences, form)
    expected = np.stack([signed_signal(s, PD[0], T1, T2, form).reshape(3, 4) for s in sequences])
    np.testing.assert_allclose(protocol.signed_signals(*tissue), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(protocol.signals(*tissue), np.abs(expected), rtol=1e-12, atol=1e-15)


def test_space_broadcasts():
    values = Protocol.of(ALL).signals(
        torch.tensor(0.8), torch.tensor([0.5, 1.0, 2.0]).double(), torch.tensor([[0.05], [0.1]])
    )
    assert values.shape == (4, 2, 3)
    assert values[3, 1, 2] == pytest.approx(signal(ALL[3], 0.8, 2.0, 0.1), rel=1e-6)


@pytest.mark.parametrize("kind", ["SE", "FSE", "IR-SE", "IR-FSE"])
def test_gradients_in_tissue_and_times_are_those_of_finite_differences(kind):
    def signals(pd, t1, t2, te, tr, ti):
        return Protocol.of_times(kind, te, tr, ti).signals(pd, t1, t2)

    tissue = [torch.tensor([0.8, 0.9]), torch.tensor([1.4, 0.4]), torch.tensor([0.05, 0.07])]
    times = [torch.tensor([0.02, 0.1]), torch.tensor([3.0, 9.0]), torch.tensor([0.3, 2.4])]
    inputs = [values.double().requires_grad_() for values in tissue + times]
    assert torch.autograd.gradcheck(signals, inputs)
