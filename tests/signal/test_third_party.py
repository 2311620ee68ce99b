"""The signal equations and `PulseModel` against simulators of other authors, pulse by pulse.

MRzero simulates phase distribution graphs; sycomore, extended phase graphs. Sycomore comes as
source alone; where it is not built its half of the tests is skipped.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pipeline_lib.signal.equations import signed_signal
from pipeline_lib.signal.protocol import Protocol
from pipeline_lib.signal.pulses import PulseModel
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import tissues_at

TISSUES = [tissue for field in (1.5, 3.0) for tissue in tissues_at(field).values()]
T1 = torch.tensor([tissue.t1 for tissue in TISSUES], dtype=torch.float64)
T2 = torch.tensor([tissue.t2 for tissue in TISSUES], dtype=torch.float64)

SIMKO = [Sequence("SE", te, tr) for te, tr in ((0.008, 0.4), (0.008, 0.75), (0.12, 4.5))]
NARANG = [Sequence("SE", te, tr) for te, tr in ((0.02, 1.2), (0.5, 1.2), (0.1, 4.0), (1.0, 10.0))]
INVERTED = [Sequence("IR-SE", 0.008, 2.0, 0.3), Sequence("IR-SE", 0.12, 4.5, 2.0)]
# Sixteen echoes, 10.42 ms apart, are what the echo times of CRL's Table 1 go with.
TRAIN = {"te_last": 0.16672, "echoes": 16}
CRL = [
    Sequence("FSE", 0.01042, 2.479, **TRAIN),
    Sequence("FSE", 0.06252, 6.777, **TRAIN),
    Sequence("FSE", 0.1042, 8.142, **TRAIN),
]
FLAIR = [
    Sequence("IR-FSE", 0.01042, 2.479, 1.055, **TRAIN),
    Sequence("IR-FSE", 0.1042, 8.0, 2.025, **TRAIN),
]
IDEAL = [*SIMKO, *NARANG, *INVERTED, *CRL, *FLAIR]
IMPERFECT = [
    SIMKO[0],
    INVERTED[0],
    Sequence("FSE", 0.01042, 2.479, refocusing=150, **TRAIN),
    Sequence("FSE", 0.1042, 8.142, refocusing=120, **TRAIN),
    Sequence("IR-FSE", 0.1042, 8.0, 2.025, refocusing=150, **TRAIN),
]


def name(sequence):
    return f"{sequence.kind}-{sequence.te:g}-{sequence.tr:g}-{sequence.refocusing:g}"


@dataclass(frozen=True)
class Step:
    """A pulse (degrees), or where it has no angle nothing; then a delay with a gradient."""

    angle: float
    phase: float
    delay: float
    sampled: bool = False


def repetition(sequence, b1):
    """One repetition as steps; a gradient of the same moment in each delay crushes and spoils."""
    half = sequence.spacing / 2
    ti, echoes = sequence.ti or 0.0, sequence.echoes or 1
    rest = sequence.tr - ti - sequence.last_echo
    steps = [Step(180.0, 0.0, ti)] if ti else []
    steps.append(Step(90.0 * b1, 90.0, half))
    for echo in range(1, echoes + 1):
        steps.append(Step(sequence.refocusing * b1, 0.0, half, echo == sequence.echo))
        steps.append(Step(0.0, 0.0, half if echo < echoes else rest))
    return steps


def by_mrzero(sequence, b1):
    """Signals of all tissues after as many repetitions as the steady state takes."""
    mr0 = pytest.importorskip("MRzeroCore")
    played = mr0.Sequence(normalized_grads=False)
    for step in repetition(sequence, b1):
        if step.angle == 0:
            previous = played[-1]
            joined = previous.event_time, torch.tensor([step.delay])
            crushers = previous.gradm, torch.tensor([[100.0, 0.0, 0.0]])
            sampled = previous.adc_usage, torch.zeros(1, dtype=torch.int32)
            played[-1] = mr0.Repetition(
                previous.pulse,
                torch.cat(joined),
                torch.cat(crushers),
                torch.zeros(2),
                torch.cat(sampled),
            )
            continue
        block = mr0.Repetition.zero(1)
        block.pulse.angle = torch.tensor(np.deg2rad(step.angle), dtype=torch.float32)
        block.pulse.phase = torch.tensor(np.deg2rad(step.phase), dtype=torch.float32)
        block.event_time[:] = step.delay
        block.gradm[:, 0] = 100.0
        block.adc_usage[:] = int(step.sampled)
        played.append(block)
    tissue = mr0.CustomVoxelPhantom(
        [[0.0, 0.0, 0.0]] * len(T1),
        T1=T1.float().tolist(),
        T2=T2.float().tolist(),
        T2dash=1e9,
        D=0.0,
    ).build()
    graph = mr0.compute_graph(played, tissue, max_state_count=10_000, min_state_mag=1e-9)
    start, before = torch.ones(len(T1), dtype=torch.cfloat), None
    for _ in range(20):
        # No state is left out: some give no signal, but are longitudinal when the train ends.
        _, magnetisation = mr0.execute_graph(
            graph, played, tissue, 1e-8, 0, False, True, intitial_mag=start
        )
        signal = sum(part.sum(0) for block in magnetisation for part in block)
        # Ideal spoiling: the next repetition starts from the undephased longitudinal state alone.
        start = next(state.mag for state in graph[-1] if state.dist_type == "z0")
        if before is not None and (signal - before).abs().max() < 1e-6:
            break
        before = signal
    return signal.real.double().numpy()


def by_sycomore(sequence, b1):
    """Signals of all tissues after as many repetitions as the steady state takes."""
    sycomore = pytest.importorskip("sycomore")
    from sycomore.units import deg, rad, s

    steps = repetition(sequence, b1)
    signals = []
    for t1, t2 in zip(T1.tolist(), T2.tolist(), strict=True):
        species = sycomore.Species(t1 * s, t2 * s)
        start, before, signal = 1.0, None, None
        while before is None or abs(signal - before) > 1e-9:
            before = signal
            model = sycomore.epg.Regular(species)
            # Ideal spoiling: only the undephased longitudinal state is left of the repetition
            # before. The simulator sets out from equilibrium, so a pulse makes that state, and
            # what it excites is dephased beyond any return.
            model.apply_pulse(np.arccos(start) * rad)
            for _ in range(2 * len(steps)):
                model.shift()
            for step in steps:
                if step.angle:
                    model.apply_pulse(step.angle * deg, step.phase * deg)
                model.relaxation(step.delay * s)
                model.shift()
                if step.sampled:
                    signal = model.echo.real
            start = model.state(0)[2].real
        signals.append(signal)
    return np.array(signals)


SIMULATORS = pytest.mark.parametrize("simulate", [by_mrzero, by_sycomore])


def assert_same(signals, simulated):
    """To 1e-3 of the simulated signal, or of 1e-3 of equilibrium, which no image shows."""
    error = np.abs(np.asarray(signals) - simulated) / np.maximum(np.abs(simulated), 1e-3)
    assert error.max() < 1e-3


@SIMULATORS
@pytest.mark.parametrize("sequence", IDEAL, ids=name)
def test_equations_and_protocol_give_what_the_simulator_measures(sequence, simulate):
    simulated = simulate(sequence, 1.0)
    assert np.abs(simulated).max() > 0.05
    assert_same(signed_signal(sequence, 1.0, T1.numpy(), T2.numpy()), simulated)
    assert_same(Protocol.of([sequence]).signed_signals(torch.ones(()), T1, T2)[0], simulated)


@SIMULATORS
@pytest.mark.parametrize("b1", [0.75, 1.0, 1.2])
@pytest.mark.parametrize("sequence", IMPERFECT, ids=name)
def test_imperfect_pulses_give_what_the_simulator_measures(sequence, b1, simulate):
    simulated = simulate(sequence, b1)
    assert np.abs(simulated).max() > 0.05
    model = PulseModel([sequence])
    tissue = (torch.ones(()), T1.float(), T2.float(), torch.tensor(b1))
    assert_same(model.signed_signals(*tissue)[0], simulated)
