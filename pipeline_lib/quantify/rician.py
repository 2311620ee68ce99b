"""Maximum likelihood of magnitude signals: the noise floor is not taken for signal."""

import math

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.quantify.descent import Descent, steps
from pipeline_lib.quantify.model import SignalModel, UnitSignal
from pipeline_lib.quantify.noise import rician_information

ROUNDS = 200
# Levenberg-Marquardt steps a round; more would solve a problem that the next round changes.
STEPS = 2
SMALLEST_CHANGE = 1e-6  # of log T1 and log T2 in a round


def most_likely(signals: Tensor, noise: Tensor, model: SignalModel, start: Descent) -> Descent:
    """Go from a least-squares fit to the maximum of Rice's likelihood.

    Majorisation (Varadhan and Haldar 2015, IEEE Trans Med Imaging 34:2191, eq. 14): the
    likelihood of magnitudes m lies above that of Gaussian signals m I1(z) / I0(z), z = m S /
    sigma^2, with S the signals of the round before, and touches it there; so each round is a
    least-squares fit and raises the likelihood.

    Parameters
    ----------
    signals
        [contrast, voxel]; their signs do not matter.
    noise
        Standard deviation of each channel, [voxel].
    model
        The contrasts.
    start
        The least-squares fit.
    """
    found = start
    active = torch.arange(signals.shape[1], device=signals.device)
    for _ in range(ROUNDS):
        if len(active) == 0:
            break
        place, sigma, magnitude = found.place[:, active], noise[active], signals[:, active].abs()
        clean = found.pd[active] * model.evaluate(place[0], place[1]).value
        argument = magnitude * clean / sigma**2
        share = torch.special.i1e(argument) / torch.special.i0e(argument)
        there = steps(magnitude * share, model, place, STEPS)
        moved = (there.place - place).abs().amax(dim=0)
        found.place[:, active], found.pd[active] = there.place, there.pd
        found.iterations[active] += there.iterations
        found.converged[active] = moved < SMALLEST_CHANGE
        active = active[moved >= SMALLEST_CHANGE]
    clean = found.pd * model.evaluate(found.place[0], found.place[1]).value
    found.cost = (signals.abs() - expected_magnitude(clean, noise)).square().sum(dim=0)
    found.objective = _surprise(signals.abs(), clean, noise)
    return found


def expected_magnitude(clean: Tensor, noise: Tensor) -> Tensor:
    """Mean of Rice's distribution (Gudbjartsson and Patz 1995), shapes that broadcast."""
    half = (clean / noise) ** 2 / 4
    laguerre = (1 + 2 * half) * torch.special.i0e(half) + 2 * half * torch.special.i1e(half)
    return noise * math.sqrt(math.pi / 2) * laguerre


def weighted_by_information(unit: UnitSignal, pd: Tensor) -> UnitSignal:
    """Weight signals and derivatives by what magnitudes tell of them; `pd` in units of noise."""
    snr, told = rician_information()
    weight = np.interp((pd * unit.value).abs().cpu().numpy(), snr, told)
    root = torch.from_numpy(np.sqrt(weight)).to(unit.value)
    return UnitSignal(*(part * root for part in unit))


def _surprise(signals: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """Minus the logarithm of Rice's likelihood, without what does not depend on `clean`."""
    product = signals * clean / noise**2
    distance = (signals - clean) ** 2 / (2 * noise**2)
    return (distance - torch.special.i0e(product).log()).sum(dim=0)
