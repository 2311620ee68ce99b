"""Extended phase graphs, against a plain one of complex states and published numbers."""

import numpy as np
import pytest
import torch

from pipeline_lib.signal.epg import excited, signed_signal, single, train
from pipeline_lib.signal.protocol import Protocol
from pipeline_lib.signal.sequences import Sequence

ONE = torch.ones((), dtype=torch.float64)


def plain(t1, t2, angle, spacing, echoes, longitudinal, transverse):
    """All states F(k), F*(-k), Z(k) in half spacings, Weigel 2015, Eqs. 15, 18, 19 and 22."""
    states = np.zeros((3, 2 * echoes + 2), dtype=complex)
    states[:, 0] = transverse, transverse, longitudinal
    sine, cosine = np.sin(angle), np.cos(angle)
    turned, through = np.sin(angle / 2) ** 2, np.cos(angle / 2) ** 2
    pulse = np.array(
        [
            [through, turned, -1j * sine],
            [turned, through, 1j * sine],
            [-0.5j * sine, 0.5j * sine, cosine],
        ]
    )
    e1, e2 = np.exp(-spacing / 2 / t1), np.exp(-spacing / 2 / t2)

    def delayed(states):
        states = states * np.array([[e2], [e2], [e1]])
        states[2, 0] += 1 - e1
        forward = np.concatenate([[np.conj(states[1, 1])], states[0, :-1]])
        backward = np.append(states[1, 1:], 0)
        return np.stack([forward, backward, states[2]])

    signals = []
    for _ in range(echoes):
        states = delayed(pulse @ delayed(states))
        signals.append(states[0, 0])
    return np.array(signals), states[2, 0]


@pytest.mark.parametrize("degrees", [30.0, 120.0, 165.0, 200.0])
@pytest.mark.parametrize("echoes", [1, 2, 7])
def test_a_train_is_what_a_plain_phase_graph_gives(degrees, echoes):
    t1, t2, spacing, angle = 0.7, 0.09, 0.0123, np.deg2rad(degrees)
    signals, longitudinal = plain(t1, t2, angle, spacing, echoes, 0.4, 0.8)
    made = train(t1 * ONE, t2 * ONE, angle * ONE, spacing, echoes)
    np.testing.assert_allclose(0.8 * made.echo, signals, atol=1e-14)
    assert (0.4 * made.kept + made.recovered).item() == pytest.approx(longitudinal)


def test_a_spin_echo_is_a_train_of_one_and_has_its_closed_form():
    t1, t2, b1 = 0.9 * ONE, 0.08 * ONE, 0.8 * ONE
    alpha, beta = torch.deg2rad(90 * b1), torch.deg2rad(180 * b1)
    short, made = single(t1, t2, beta, 0.06), train(t1, t2, beta, 0.06, 1)
    assert short.echo.item() == pytest.approx(made.echo[0].item())
    assert short.kept.item() == pytest.approx(made.kept.item())
    assert short.recovered.item() == pytest.approx(made.recovered.item())
    half, rest = np.exp(-0.03 / 0.9), np.exp(-(1.5 - 0.03) / 0.9)
    a, b = np.cos(alpha.item()), np.cos(beta.item())
    expected = ((1 - rest) + b * rest * (1 - half)) / (1 - a * b * half * rest)
    sequence = Sequence("SE", 0.06, 1.5)
    assert excited(sequence, t1, b1, short.kept, short.recovered).item() == pytest.approx(expected)
    expected *= np.sin(alpha.item()) * np.sin(beta.item() / 2) ** 2 * np.exp(-0.06 / 0.08)
    assert signed_signal(sequence, ONE, t1, t2, b1).item() == pytest.approx(expected)


@pytest.mark.parametrize("ti", [None, 0.6])
def test_the_steady_state_is_where_repetitions_end(ti):
    kind = "FSE" if ti is None else "IR-FSE"
    sequence = Sequence(kind, 0.02, 1.0, ti, 0.04, echoes=4, refocusing=130)
    t1, t2, b1 = 1.1 * ONE, 0.2 * ONE, 0.7 * ONE
    angle = torch.deg2rad(130 * b1)
    made = train(t1, t2, angle, 0.01, 4)
    m, left = 1.0, np.cos(np.deg2rad(63))
    for _ in range(60):
        end = left * made.kept.item() * m + made.recovered.item()
        rest = np.exp(-(1.0 - 0.04 - (ti or 0)) / 1.1)
        m = 1 - rest + rest * end
        if ti is not None:
            m = 1 - np.exp(-ti / 1.1) - np.exp(-ti / 1.1) * m
    assert excited(sequence, t1, b1, made.kept, made.recovered).item() == pytest.approx(m)


def test_low_refocusing_angles_lose_the_first_echo_and_brighten_the_tenth():
    muscle = (1.412 * ONE, 0.05 * ONE)
    angles = torch.deg2rad(torch.tensor([180.0, 150.0, 120.0], dtype=torch.float64))
    echoes = train(*muscle, angles, 0.01042, 16).echo
    change = 100 * (echoes / echoes[:, :1] - 1)
    np.testing.assert_allclose(change[0, 1:], [-6.7, -25.0], atol=0.05)
    np.testing.assert_allclose(change[9, 1:], [8, 19], atol=0.7)


@pytest.mark.parametrize("kind", ["SE", "FSE", "IR-SE", "IR-FSE"])
def test_ideal_pulses_give_the_signal_equations(kind):
    inversion = 0.9 if kind.startswith("IR") else None
    times = {"te_last": 0.16672, "echoes": 16} if kind.endswith("FSE") else {}
    sequence = Sequence(kind, 0.1042, 2.479, inversion, **times)
    t1 = torch.tensor([0.2, 0.9, 4.5], dtype=torch.float64)
    t2 = torch.tensor([0.05, 0.09, 2.2], dtype=torch.float64)
    expected = Protocol.of([sequence]).signed_signals(ONE, t1, t2)[0]
    np.testing.assert_allclose(signed_signal(sequence, ONE, t1, t2, ONE), expected, atol=1e-6)


def test_tissue_and_b1_broadcast_and_carry_gradients():
    sequence = Sequence("IR-FSE", 0.02, 1.0, 0.3, 0.04, echoes=4, refocusing=130)
    t1 = torch.tensor([[0.5], [1.5]], dtype=torch.float64, requires_grad=True)
    t2 = torch.tensor([0.05, 0.1, 0.2], dtype=torch.float64, requires_grad=True)
    b1 = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    assert signed_signal(sequence, ONE, t1, t2, b1).shape == (2, 3)
    assert torch.autograd.gradcheck(
        lambda *tissue: signed_signal(sequence, ONE, *tissue), (t1, t2, b1)
    )
