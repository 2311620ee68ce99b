"""The metrics of one patient: all its slices as one volume, for the body and for each tissue."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Series
from typing import NamedTuple

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.metrics import RADIUS, WindowedTarget, decibels
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray
Answer = Callable[[int, int], Array]
"""Prediction [slice, row, column] of a patient for the indices of a source and a target."""
Pair = tuple[int, int]
"""Indices of a source and a target among a patient's contrasts."""

BODY = "body"
# A smaller tissue says more about its border than about the model.
SMALLEST_REGION = 50


class Score(NamedTuple):
    """One value of the table of metrics."""

    patient: str
    source: str
    target: str
    region: str
    metric: str
    value: float
    data_range: float


class PatientScorer:
    """What all answers for a patient are scored with: its regions and where they lie.

    The images are cut to the body and the reach of the window of SSIM, which changes no value.

    Parameters
    ----------
    slices
        The patient. A tissue counts within the body, from 50 voxels in all slices on.
    """

    def __init__(self, slices: PatientSlices) -> None:
        body = np.asarray(slices.body) > 0
        if not body.any():
            raise InputError(
                f"{slices.patient} has no voxel of the body in any slice; exclude the patient."
            )
        self.slices = slices
        self.box = (
            slice(None),
            _reach(np.logical_or.reduce(body, (0, 2))),
            _reach(np.logical_or.reduce(body, (0, 1))),
        )
        self.body = body[self.box]
        inside = np.flatnonzero(self.body)
        labels = np.asarray(slices.tissues)[self.box].ravel()[inside]
        order = np.argsort(labels, kind="stable")
        # Voxels sorted by tissue: each tissue's sums are then those of one stretch.
        self.voxels = inside[order]
        found, self.starts, counts = np.unique(labels[order], return_index=True, return_counts=True)
        self.counts = counts.astype(float)
        self.regions = [
            (name, int(np.flatnonzero(found == label)[0]))
            for label, name in slices.tissue_names.items()
            if label in found and counts[found == label][0] >= SMALLEST_REGION
        ]

    def image(self, contrast: int) -> Array:
        """Cut the acquired images of a contrast."""
        return self.cut(self.slices.images[:, contrast])

    def cut(self, images: Array) -> Array:
        """Cut [slice, row, column] images to the box, as float32."""
        return np.ascontiguousarray(images[self.box], dtype=np.float32)

    def means(self, values: Array) -> dict[str, float]:
        """Mean of `values` (sorted as `voxels`) over the body and over each tissue."""
        sums = np.add.reduceat(values, self.starts, dtype=float)
        tissues = {name: float(sums[at] / self.counts[at]) for name, at in self.regions}
        return {BODY: float(sums.sum() / self.counts.sum()), **tissues}


class TargetScorer:
    """Scores answers for one target image of a patient.

    Parameters
    ----------
    patient
        Its regions.
    target
        Cut images [slice, row, column], float32.
    data_range
        The declared range of the target's contrast.
    """

    def __init__(self, patient: PatientScorer, target: Array, data_range: float) -> None:
        self.patient = patient
        self.data_range = data_range
        self.windowed = WindowedTarget(target, data_range)
        self.inside = target.ravel()[patient.voxels].astype(float)
        self.power = patient.means(self.inside**2)

    def score(self, prediction: Array) -> Iterator[tuple[str, str, float]]:
        """Yield (region, metric, value) of cut images [slice, row, column], float32.

        The metrics are those of `pipeline_lib.evaluation.metrics` (a test holds them equal).
        """
        error = prediction.ravel()[self.patient.voxels] - self.inside
        similarity = self.windowed.similarity(prediction).ravel()[self.patient.voxels]
        mae = self.patient.means(np.abs(error))
        squared = self.patient.means(error**2)
        bias = self.patient.means(error)
        ssim = self.patient.means(similarity)
        for region in mae:
            yield region, "mae", mae[region]
            yield region, "nrmse", _root_of_ratio(squared[region], self.power[region])
            yield region, "psnr", float(decibels(squared[region], self.data_range))
            yield region, "ssim", ssim[region]
            yield region, "bias", bias[region]


def score_patient(
    slices: PatientSlices, answer: Answer, ranges: Mapping[str, float], pairs: Iterable[Pair]
) -> list[Score]:
    """Score a patient's answers for pairs of contrasts.

    Parameters
    ----------
    slices
        The patient.
    answer
        Gives the prediction for a source and a target of `pairs`.
    ranges
        Declared range of each contrast.
    pairs
        What to score; the rows come target by target.

    Raises
    ------
    InputError
        If a prediction is not finite within the body.
    """
    patient = PatientScorer(slices)
    names = list(slices.contrasts)
    rows = []
    for target, sources in by_target(pairs).items():
        data_range = ranges[names[target]]
        scorer = TargetScorer(patient, patient.image(target), data_range)
        for source in sources:
            prediction = patient.cut(answer(source, target))
            if not np.isfinite(prediction).all():
                raise InputError(
                    f"the prediction of {names[target]} from {names[source]} for {slices.patient} "
                    "holds NaN or infinity; the training diverged: lower its learning rate."
                )
            rows += [
                Score(slices.patient, names[source], names[target], *each, data_range)
                for each in scorer.score(prediction)
            ]
    return rows


def index_pairs(pairs: Series[Series[str]], contrasts: Iterable[str]) -> list[Pair]:
    """Give the indices of pairs of names among the contrasts.

    Raises
    ------
    InputError
        If a name is none of the contrasts.
    """
    names = list(contrasts)
    for source, target in pairs:
        if not {source, target} <= set(names):
            raise InputError(
                f"the pair {source} → {target} is not of the contrasts {', '.join(names)}; "
                "correct the experiment's `pairs:`."
            )
    return [(names.index(source), names.index(target)) for source, target in pairs]


def by_target(pairs: Iterable[Pair]) -> dict[int, list[int]]:
    """Group the sources by target: what is computed of a target serves all of them."""
    sources: dict[int, list[int]] = {}
    for source, target in pairs:
        sources.setdefault(target, []).append(source)
    return sources


def _reach(occupied: Array) -> slice:
    places = np.flatnonzero(occupied)
    return slice(max(places[0] - RADIUS, 0), min(places[-1] + RADIUS + 1, len(occupied)))


def _root_of_ratio(numerator: float, denominator: float) -> float:
    """Root of a ratio; NaN for a target that is 0 throughout."""
    return float(np.sqrt(numerator / denominator)) if denominator > 0 else float("nan")
