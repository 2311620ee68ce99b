"""Signals of many voxels with pulses that are not ideal: closed forms, and a dictionary of trains.

A pathway of a train is longitudinal for m echo spacings and transverse for the others, so that an
echo is exp(-TE / T2) times a polynomial in exp(spacing (1/T2 - 1/T1)), and likewise what is kept of
the longitudinal magnetisation. The dictionary is therefore over the rate 1/T2 - 1/T1 and B1; only
what recovers during the train depends on 1/T1 besides, by a series of few terms. Interpolation is
cubic. Decay, recovery between trains and the steady state are never interpolated.
"""

import math
from collections.abc import Sequence as Series
from functools import lru_cache

import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.signal import epg
from pipeline_lib.signal.sequences import Sequence

# Limits of the dictionary; values beyond are clamped where a train is looked up, and only there.
T1_LIMITS = (0.08, 7.0)  # seconds
T2_LIMITS = (0.008, 3.5)  # seconds
B1_LIMITS = (0.55, 1.45)  # b1 = 1 is a node
RATE_LIMITS = (1 / T2_LIMITS[1] - 1 / T1_LIMITS[0], 1 / T2_LIMITS[0] - 1 / T1_LIMITS[1])
RATES = 161  # nodes
# Nodes of B1 between its limits, and the longest train that they resolve; longer ones get more.
B1S, RESOLVED = 129, 32
# Voxels looked up at a time: what belongs to them stays in the cache.
CHUNK = 16384
# B1 nodes simulated at a time, for the same reason.
NODES = 4


class PulseModel:
    """Signals with the flip angles that a transmit field makes of the nominal ones.

    Excitation and refocusing have b1 times their nominal angle, inversion is adiabatic; steady
    state, ideal spoiling (see `pipeline_lib.signal.epg`). SE and IR-SE by their closed form, FSE
    and IR-FSE by the dictionary: within 1e-3 of the simulation, as a share of the larger of the
    signal and 0.001 of equilibrium. All is differentiable in the tissue and in b1.

    Parameters
    ----------
    sequences
        One a contrast; FSE kinds with their number of `echoes`.
    dtype, device
        Of the signals.

    Raises
    ------
    InputError
        If a train does not tell its number of echoes.
    """

    def __init__(
        self,
        sequences: Series[Sequence],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        for sequence in sequences:
            if sequence.is_train and sequence.echoes is None:
                raise InputError(
                    f"pulses that are not ideal need the number of echoes of {sequence.kind} with "
                    f"te {sequence.te:g} s; give echoes, or have the pulses ideal"
                )
        self.sequences = tuple(sequences)
        trains = [sequence for sequence in sequences if sequence.is_train]
        # The series has more terms the longer the train is beside the shortest T1.
        longest = max((sequence.last_echo for sequence in trains), default=0.0)
        self._terms = 4 + math.ceil(longest / T1_LIMITS[0])
        # So do the ripples along B1. An even number of steps keeps b1 = 1 a node.
        most = max((sequence.echoes or 1 for sequence in trains), default=1)
        self._b1s = 1 + (B1S - 1) * math.ceil(most / RESOLVED)
        # [rate x b1, train x (echo, kept, terms of recovered)]
        columns = [_dictionary(sequence, self._b1s, self._terms) for sequence in trains]
        self._table = torch.cat(columns, -1).to(device, dtype) if columns else None

    def __len__(self) -> int:
        return len(self.sequences)

    def signed_signals(self, pd: Tensor, t1: Tensor, t2: Tensor, b1: Tensor) -> Tensor:
        """Signals before the magnitude is taken, [contrast, *space].

        Parameters
        ----------
        pd, t1, t2
            Proton density (water = 1) and seconds (positive), [*space], broadcast together.
        b1
            Actual over nominal flip angle, broadcast with them.
        """
        pd, t1, t2, b1 = torch.broadcast_tensors(pd, t1, t2, b1)
        chunks = zip(*(values.flatten().split(CHUNK) for values in (pd, t1, t2, b1)), strict=True)
        signals = torch.cat([self._chunk(*chunk) for chunk in chunks], dim=1)
        return signals.reshape(len(self), *pd.shape)

    def _chunk(self, pd: Tensor, t1: Tensor, t2: Tensor, b1: Tensor) -> Tensor:
        looked_up = iter(self._trains(t1, t2, b1))
        excited = pd * torch.sin(torch.deg2rad(epg.EXCITATION * b1))
        signals = []
        for sequence in self.sequences:
            if sequence.is_train:
                ratio, kept, recovered = next(looked_up)
                kept = kept * torch.exp(-sequence.last_echo / t1)
                recovered = recovered * -torch.expm1(-sequence.last_echo / t1)
                echo = ratio * torch.exp(-sequence.te / t2)
            else:
                angle = torch.deg2rad(sequence.refocusing * b1)
                train = epg.single(t1, t2, angle, sequence.te)
                echo, kept, recovered = train.echo, train.kept, train.recovered
            signals.append(excited * epg.excited(sequence, t1, b1, kept, recovered) * echo)
        return torch.stack(signals)

    def _trains(self, t1: Tensor, t2: Tensor, b1: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Echo, kept and recovered of each train, as shares of what `_dictionary` says."""
        if self._table is None:
            return []
        t1, t2 = t1.clamp(*T1_LIMITS), t2.clamp(*T2_LIMITS)
        rate_node, rate_weights = _stencil(1 / t2 - 1 / t1, RATE_LIMITS, RATES)
        b1_node, b1_weights = _stencil(b1, B1_LIMITS, self._b1s)
        step = torch.arange(4, dtype=torch.int32, device=t1.device)
        corner = (step[:, None] * self._b1s + step).flatten()
        corners = (rate_node * self._b1s + b1_node)[:, None] + corner
        weights = (rate_weights[:, :, None] * b1_weights[:, None, :]).flatten(1)
        found = torch.nn.functional.embedding_bag(
            corners, self._table, mode="sum", per_sample_weights=weights
        ).unflatten(1, (-1, 2 + self._terms))
        series = _chebyshev(_unit(1 / t1), self._terms)
        recovered = (found[..., 2:] * series[:, None]).sum(-1)
        parts = (found[..., 0], found[..., 1], recovered)
        return list(zip(*(part.unbind(1) for part in parts), strict=True))


@lru_cache(maxsize=32)
def _dictionary(sequence: Sequence, b1s: int, terms: int) -> Tensor:
    """Simulate a train on all nodes, [rate x b1, 2 + terms], float64.

    Columns: the echo as a share of exp(-TE / T2); the magnetisation kept, of exp(-TE_last / T1);
    the Chebyshev series in 1/T1 of the magnetisation recovered, of 1 - exp(-TE_last / T1).
    """
    rate = torch.linspace(*RATE_LIMITS, RATES, dtype=torch.float64)
    b1 = torch.linspace(*B1_LIMITS, b1s, dtype=torch.float64)
    points = torch.cos((torch.arange(terms, dtype=torch.float64) + 0.5) * math.pi / terms)
    fastest, slowest = 1 / T1_LIMITS[0], 1 / T1_LIMITS[1]
    r1 = (fastest + slowest) / 2 + (fastest - slowest) / 2 * points
    # Where rate + 1/T1 is not positive no tissue lies, but the polynomials are as good there.
    r2 = rate[:, None, None] + r1
    blocks = []
    for angle in torch.deg2rad(sequence.refocusing * b1)[:, None].split(NODES):
        train = epg.train(1 / r1, 1 / r2, angle, sequence.spacing, sequence.echoes or 1)
        echo = train.echo[sequence.echo - 1] * torch.exp(sequence.echo * sequence.spacing * r2)
        kept = train.kept * torch.exp(sequence.last_echo * r1)
        recovered = train.recovered / -torch.expm1(-sequence.last_echo * r1)
        series = recovered @ (_chebyshev(points, terms) * (2 / terms))
        series[..., 0] /= 2
        # Neither of the first two depends on T1.
        blocks.append(torch.cat([echo[..., :1], kept[..., :1], series], dim=-1))
    return torch.cat(blocks, dim=1).flatten(0, 1)


def _stencil(values: Tensor, limits: tuple[float, float], nodes: int) -> tuple[Tensor, Tensor]:
    """First of the four nodes about each value, int32 [value], and their weights, [value, 4].

    Lagrange's cubic; values outside the limits are clamped, and stencils shifted within.
    """
    low, high = limits
    position = ((values - low) * ((nodes - 1) / (high - low))).clamp(0, nodes - 1)
    first = (position.detach().floor() - 1).clamp(0, nodes - 4)
    x = position - first
    left, right = x * (x - 1), (x - 2) * (x - 3)
    weights = [
        (x - 1) * right / -6,
        x * right / 2,
        left * (x - 3) / -2,
        left * (x - 2) / 6,
    ]
    return first.int(), torch.stack(weights, dim=-1)


def _unit(r1: Tensor) -> Tensor:
    """Map 1/T1 within the limits to [-1, 1]."""
    fastest, slowest = 1 / T1_LIMITS[0], 1 / T1_LIMITS[1]
    return (2 * r1 - fastest - slowest) / (fastest - slowest)


def _chebyshev(values: Tensor, terms: int) -> Tensor:
    """Chebyshev polynomials of values in [-1, 1], [*value, term]."""
    polynomials = [torch.ones_like(values), values]
    for _ in range(terms - 2):
        polynomials.append(2 * values * polynomials[-1] - polynomials[-2])
    return torch.stack(polynomials, dim=-1)
