"""PD, T1 and T2 of many voxels at once, by Levenberg-Marquardt with bounds."""

from collections.abc import Sequence as Series
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.quantify.bounds import check_identifiable
from pipeline_lib.quantify.descent import LOWER, UPPER, Descent, descend
from pipeline_lib.quantify.dictionary import Dictionary
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.quantify.noise import noise_of_residuals
from pipeline_lib.quantify.projection import bounds, information
from pipeline_lib.quantify.rician import most_likely, weighted_by_information
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.workers import in_order

Array = np.ndarray

# Costs nearer than this are equal, and the start with the shorter T1 is kept.
SAME = 1e-14
# Where this share of the squared signals is left over, noise may have made several minima: the
# voxel is fitted again from more starts, as is one that did not arrive in the first iterations.
DOUBTFUL = 5e-3
ITERATIONS = 30
THOROUGH_ITERATIONS = 300
# A signal is seen from this multiple of the noise (Gudbjartsson and Patz 1995).
SEEN = 3.0
# A time is unidentifiable if its bound exceeds it.
UNKNOWN = 1.0
# Voxels fitted at a time: on a processor their tensors stay in its caches; a GPU wants many.
CHUNKS = {"cpu": 1 << 15}
LARGE_CHUNK = 1 << 21


@dataclass(frozen=True)
class Maps:
    """Least-squares estimates, each [voxel].

    Attributes
    ----------
    pd
        Proton density in the unit of the signals, 0 or more.
    t1, t2
        Relaxation times in seconds, within `T1_LIMITS` and `T2_LIMITS`.
    pd_bound, t1_bound, t2_bound
        Cramér-Rao bounds for noise of `sigma`: the smallest standard deviation of an unbiased
        estimate, in the unit of the parameter; infinite where the contrasts can't tell it, NaN
        where `sigma` is.
    cost
        Sum over contrasts of the squared residual; of a Rician fit, to the expected magnitude.
    residual
        Its root mean square over contrasts.
    iterations
        Steps tried from the start that won.
    flag
        uint8; how the fit ended, see `pipeline_lib.quantify.flags.Flag`.
    sigma
        Standard deviation of the noise, one number: as given, or as the residuals show it.
    """

    pd: Array
    t1: Array
    t2: Array
    pd_bound: Array
    t1_bound: Array
    t2_bound: Array
    cost: Array
    residual: Array
    iterations: Array
    flag: Array
    sigma: float

    @property
    def converged(self) -> Array:
        """Whether the fit came to its end, bool; an end on a limit counts."""
        return np.isin(self.flag, (Flag.CONVERGED, Flag.UNIDENTIFIABLE, Flag.AT_BOUND))

    @property
    def at_bound(self) -> Array:
        """Whether T1 or T2 ended on a limit, bool."""
        return self.flag == Flag.AT_BOUND


def fit(
    signals: Array | Tensor,
    sequences: Series[Sequence],
    form: Form = "exact",
    *,
    gains: Series[float] | None = None,
    sigma: float | None = None,
    rician: bool = False,
    device: torch.device | str = "cpu",
) -> Maps:
    """Fit PD, T1 and T2 to each voxel's magnitude signals.

    Minimises sum_c (s_c - PD |g_c(T1, T2)|)^2. PD is linear and is projected out (variable
    projection: Golub and Pereyra 1973, with Kaufman's 1975 approximation of the Jacobian, which is
    what Gauss-Newton in all three parameters does as well); log T1 and log T2 take
    Levenberg-Marquardt steps within the limits. Magnitudes of inversion contrasts have lost their
    signs: each list of signs that some T1 gives them is fitted, and the lowest cost wins. With only
    3 contrasts two of them can be exact answers; then the one with the shorter T1 is given.

    On a processor as many threads work as PyTorch is allowed (`torch.set_num_threads`).

    Parameters
    ----------
    signals
        [voxel, contrast], any unit, on one scale for all contrasts.
    sequences
        One a contrast, in the order of `signals`.
    form
        The signal equation; see `pipeline_lib.signal.equations.recovery_terms`.
    gains
        What the scanner multiplied each contrast with, if not the same for all.
    sigma
        Standard deviation of the noise of each channel in the unit of `signals`. Without it the
        median residual tells it, if there are more than 3 contrasts.
    rician
        Maximise the likelihood of Rice's distribution with noise of `sigma`, in the place of
        least squares, which takes noise for signal where there is little signal; see
        `pipeline_lib.quantify.rician`.
    device
        Where to compute.

    Raises
    ------
    InputError
        If the contrasts can't tell PD, T1 and T2 apart (see `check_identifiable`), a signal is
        not finite, a gain or `sigma` is not positive, or `rician` has no `sigma`.
    """
    check_identifiable(sequences, form)
    if signals.ndim != 2 or signals.shape[1] != len(sequences):
        raise ValueError(f"signals are [voxel, {len(sequences)}], not {tuple(signals.shape)}")
    _check_scanner(sequences, gains, sigma, rician)
    signals = torch.as_tensor(signals)
    # A sum is as finite as its parts, and four times quicker to tell.
    if not torch.isfinite(signals.sum()):
        raise InputError("the signals to fit hold NaN or infinity; mask those voxels out.")
    fitter = _Fitter(sequences, form, gains, sigma if rician else None, device)
    found = fitter.fit(signals)
    doubtful = (~found.converged | (found.cost > DOUBTFUL * found.power)).nonzero()[:, 0]
    if len(doubtful):
        found.put(doubtful, fitter.fit(signals[doubtful.to(signals.device)], thorough=True))
    return _maps(found, len(sequences), sigma)


def _check_scanner(
    sequences: Series[Sequence], gains: Series[float] | None, sigma: float | None, rician: bool
) -> None:
    if gains is not None:
        if len(gains) != len(sequences):
            raise ValueError(f"{len(gains)} gains for {len(sequences)} contrasts")
        if not all(gain > 0 for gain in gains):
            raise InputError(f"the gains of contrasts are positive, not {list(gains)}.")
    if sigma is not None and not sigma > 0:
        raise InputError(f"the noise is {sigma:g}; its standard deviation is positive.")
    if rician and sigma is None:
        raise InputError("a Rician fit needs the standard deviation of the noise; give it.")


@dataclass(frozen=True)
class _Found:
    """What the fit of a chunk gave, each [..., voxel].

    `power` is the sum of the squared signals, `unit_bounds` are the bounds of PD, log T1 and log T2
    for noise of SD 1.
    """

    pd: Tensor
    place: Tensor
    cost: Tensor
    power: Tensor
    brightest: Tensor
    iterations: Tensor
    converged: Tensor
    unit_bounds: Tensor

    def put(self, voxels: Tensor, other: "_Found") -> None:
        """Take the voxels of these indices from a fit of them alone."""
        for field in fields(self):
            getattr(self, field.name)[..., voxels] = getattr(other, field.name)


def _joined(parts: list[_Found]) -> _Found:
    return _Found(
        *(
            torch.cat([getattr(part, field.name) for part in parts], dim=-1)
            for field in fields(_Found)
        )
    )


class _Fitter:
    """The contrasts, ready for chunks of voxels."""

    def __init__(
        self,
        sequences: Series[Sequence],
        form: Form,
        gains: Series[float] | None,
        rician_sigma: float | None,
        device: torch.device | str,
    ) -> None:
        self.fine = SignalModel(sequences, form, gains, torch.float64, device)
        self.rough = SignalModel(sequences, form, gains, torch.float32, device)
        self.dictionary = Dictionary(self.fine)
        self.rician_sigma = rician_sigma
        self.device = torch.device(device)
        self.chunk = CHUNKS.get(self.device.type, LARGE_CHUNK)

    def fit(self, signals: Tensor, thorough: bool = False) -> _Found:
        """Fit [voxel, contrast], from one start for each list of signs, or thoroughly from more."""
        # A core for each chunk: torch's own threads would wait for each other at every operation.
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        chunks = signals.split(self.chunk)
        return _joined(list(in_order(partial(self._fit, thorough=thorough), chunks, threads)))

    def _fit(self, signals: Tensor, thorough: bool) -> _Found:
        signals = signals.to(self.device, torch.float64).T.contiguous()
        # Each voxel with signals of length 1, so that no threshold depends on the images' unit.
        power = signals.square().sum(dim=0)
        scale = torch.where(power > 0, power.sqrt(), 1.0)
        noise = None if self.rician_sigma is None else self.rician_sigma / scale
        best = self._best(signals / scale, noise, thorough)
        unit = self.fine.evaluate(best.place[0], best.place[1])
        pd = best.pd * scale
        if noise is not None:
            unit = weighted_by_information(unit, best.pd / noise)
        return _Found(
            pd,
            best.place,
            best.cost * scale**2,
            power,
            signals.amax(dim=0),
            best.iterations,
            best.converged,
            bounds(information(unit), pd),
        )

    def _best(self, signals: Tensor, noise: Tensor | None, thorough: bool) -> Descent:
        best: Descent | None = None
        for part in self.dictionary.parts:
            signed = signals * part.signs
            iterations = THOROUGH_ITERATIONS if thorough else ITERATIONS
            for start in part.spread(signed) if thorough else [part.nearest(signed)]:
                found = descend(signed, self.rough, self.fine, start, iterations)
                if noise is not None:
                    found = most_likely(signed, noise, self.fine, found)
                if best is None:
                    best = found
                else:
                    best.replace(found, found.objective < best.objective - SAME)
        assert best is not None  # a dictionary has one part at least
        return best


def _maps(found: _Found, contrasts: int, sigma: float | None) -> Maps:
    pd, cost = found.pd.cpu().numpy(), found.cost.cpu().numpy()
    brightest, converged = found.brightest.cpu().numpy(), found.converged.cpu().numpy()
    if sigma is None:
        sigma = noise_of_residuals(cost[pd > 0], contrasts)
    place = found.place.cpu().numpy()
    t1, t2 = np.exp(place)
    pd_bound, t1_share, t2_share = sigma * found.unit_bounds.cpu().numpy()
    flag = np.full(len(pd), Flag.CONVERGED, dtype=np.uint8)
    flag[(t1_share > UNKNOWN) | (t2_share > UNKNOWN)] = Flag.UNIDENTIFIABLE
    flag[((place <= LOWER) | (place >= UPPER)).any(axis=0)] = Flag.AT_BOUND
    flag[~converged] = Flag.NOT_CONVERGED
    flag[(pd <= 0) | (brightest < SEEN * sigma)] = Flag.BELOW_NOISE
    return Maps(
        pd=pd,
        t1=t1,
        t2=t2,
        pd_bound=pd_bound,
        t1_bound=t1_share * t1,
        t2_bound=t2_share * t2,
        cost=cost,
        residual=np.sqrt(cost / contrasts),
        iterations=found.iterations.cpu().numpy(),
        flag=flag,
        sigma=sigma,
    )
