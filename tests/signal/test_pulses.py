"""Many voxels with pulses that are not ideal."""

import numpy as np
import pytest
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.signal import epg
from pipeline_lib.signal.protocol import Protocol
from pipeline_lib.signal.pulses import PulseModel
from pipeline_lib.signal.sequences import Sequence

TRAIN = {"te_last": 0.16672, "echoes": 16}
SE = Sequence("SE", 0.075, 4.5)
FSE = Sequence("FSE", 0.1042, 8.142, **TRAIN)
IR_SE = Sequence("IR-SE", 0.02, 3.0, 0.5)
IR_FSE = Sequence("IR-FSE", 0.01042, 2.479, 1.055, **TRAIN)
IDEAL = [SE, FSE, IR_SE, IR_FSE]
STIMULATED = [
    Sequence("FSE", 0.1042, 2.4, refocusing=120, **TRAIN),
    Sequence("IR-FSE", 0.1042, 8.0, 2.025, refocusing=150, **TRAIN),
    Sequence("FSE", 0.08, 4.5, te_last=0.16, echoes=8, refocusing=135),
    Sequence("FSE", 0.1, 1.0, te_last=0.32, echoes=32, refocusing=150),
]
ONE = torch.ones((), dtype=torch.float64)


@pytest.fixture(scope="module")
def tissue():
    """T1 0.1 to 5 s, T2 0.01 to 2.5 s, b1 0.6 to 1.4, with the corners of that box."""
    rng = np.random.default_rng(0)
    share = np.concatenate([rng.random((20_000, 3)), np.indices((2, 2, 2)).reshape(3, 8).T])
    low, high = np.log([0.1, 0.01]), np.log([5.0, 2.5])
    t1, t2 = np.exp(low + (high - low) * share[:, :2]).T
    return [torch.tensor(values) for values in (t1, t2, 0.6 + 0.8 * share[:, 2])]


def worst(signals, expected):
    """Largest error as a share of the signal, or of 0.001 of equilibrium if that is larger."""
    return ((signals - expected).abs() / expected.abs().clamp_min(1e-3)).max().item()


@pytest.mark.parametrize("sequences", [IDEAL, STIMULATED], ids=["180", "below 180"])
def test_signals_are_within_a_thousandth_of_the_simulation(sequences, tissue):
    signals = PulseModel(sequences).signed_signals(torch.ones(()), *(v.float() for v in tissue))
    assert signals.dtype == torch.float32
    for sequence, values in zip(sequences, signals, strict=True):
        expected = epg.signed_signal(sequence, ONE, *tissue)
        assert worst(values.double(), expected) < 1e-3, sequence


def test_ideal_pulses_give_the_signals_of_the_protocol(tissue):
    t1, t2, _ = tissue
    signals = PulseModel(IDEAL).signed_signals(*(v.float() for v in (ONE, t1, t2, ONE)))
    expected = Protocol.of(IDEAL).signed_signals(ONE, t1, t2)
    assert (signals - expected).abs().max() < 2e-6
    assert worst(PulseModel(IDEAL, torch.float64).signed_signals(ONE, t1, t2, ONE), expected) < 1e-4


def test_a_voxel_has_the_same_signal_wherever_it_lies():
    model = PulseModel([SE, STIMULATED[0]])
    pd, b1 = torch.tensor(0.8), torch.tensor([0.9, 1.1])
    t1, t2 = torch.linspace(0.3, 3, 9000)[:, None], torch.tensor([0.05, 0.2])
    together = model.signed_signals(pd, t1, t2, b1)
    assert together.shape == (2, 9000, 2)
    alone = model.signed_signals(pd, t1[8999], t2[1], b1[1])
    torch.testing.assert_close(together[:, 8999, 1], alone[:, 0])


def test_tissue_beyond_the_dictionary_gets_the_stimulated_echoes_of_its_edge():
    sequence = STIMULATED[0]
    model = PulseModel([sequence], torch.float64)
    bone = epg.signed_signal(sequence, ONE, 0.2 * ONE, 0.00045 * ONE, ONE)
    assert abs(model.signed_signals(ONE, 0.2 * ONE, 0.00045 * ONE, ONE).item() - bone) < 1e-6
    water = [model.signed_signals(ONE, t1 * ONE, 2.0 * ONE, ONE).item() for t1 in (7.0, 20.0)]
    assert 0 < water[1] < water[0]


def test_signals_carry_the_gradients_of_the_simulation():
    for sequence in (IR_SE, STIMULATED[1]):
        found, expected = (
            [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 0.09, 0.87)]
            for _ in range(2)
        )
        PulseModel([sequence], torch.float64).signed_signals(ONE, *found).sum().backward()
        epg.signed_signal(sequence, ONE, *expected).backward()
        for one, other in zip(found, expected, strict=True):
            assert one.grad.item() == pytest.approx(other.grad.item(), rel=1e-2, abs=1e-4)


def test_a_train_without_its_number_of_echoes_is_refused():
    with pytest.raises(InputError, match=r"number of echoes of FSE with te 0\.1 s"):
        PulseModel([SE, Sequence("FSE", 0.1, 4.5, te_last=0.16)])
