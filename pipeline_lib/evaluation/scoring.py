"""The metrics of one patient: all its slices as one volume, for the body and for each tissue."""

import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.formulas import check_paper, paper_scores
from pipeline_lib.evaluation.metrics import (
    REACH,
    blurredness,
    decibels,
    grey_levels,
    mutual_information,
    ratio,
)
from pipeline_lib.evaluation.pairs import (
    BODY,
    PAPER,
    Answer,
    Pair,
    Score,
    always_given,
    by_target,
    scored_rows,
)
from pipeline_lib.evaluation.similarity import WindowedTarget
from pipeline_lib.evaluation.windows import neighbouring, tensor
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray
# A smaller tissue says more about its border than about the model.
SMALLEST_REGION = 50


class PatientScorer:
    """What all answers for a patient are scored with: its regions and where they lie.

    The images are cut to the body and the reach of all windows, which changes no value.

    Parameters
    ----------
    slices
        The patient. A tissue counts within the body, from 50 voxels in all slices on.
    rows
        Indices of the slices that count, ascending; `None`: all.

    Attributes
    ----------
    rows
        Indices of the slices that count.
    box
        What `cut` takes of [slice, row, column].
    body
        bool [slice, row, column], cut.
    runs
        Slices that are neighbours; see `windows.neighbouring`.

    Raises
    ------
    InputError
        If there is no voxel of the body in them.
    """

    def __init__(self, slices: PatientSlices, rows: Array | None = None) -> None:
        self.slices = slices
        self.rows = np.arange(len(slices)) if rows is None else np.asarray(rows)
        body = np.asarray(slices.body)[self.rows] > 0
        if not body.any():
            raise InputError(
                f"{slices.patient} has no voxel of the body in any slice; exclude the patient."
            )
        box = (
            _reach(np.logical_or.reduce(body, (0, 2))),
            _reach(np.logical_or.reduce(body, (0, 1))),
        )
        self.box = (_stretch(self.rows), *box)
        self.body = body[:, *box]
        self.runs = neighbouring(
            [slices.sessions[row] for row in self.rows], [slices.indices[row] for row in self.rows]
        )
        inside = np.flatnonzero(self.body)
        labels = np.asarray(slices.tissues[self.box]).ravel()[inside]
        order = np.argsort(labels, kind="stable")
        self.mask = tensor(self.body)
        # Voxels sorted by tissue: each tissue's sums are then those of one stretch.
        self.voxels = torch.from_numpy(inside[order]).to(self.mask.device)
        found, starts = np.unique(labels[order], return_index=True)
        self.stretches = [
            (slices.tissue_names.get(int(label)), int(start), int(stop))
            for label, start, stop in zip(found, starts, [*starts[1:], len(order)], strict=True)
        ]

    def image(self, contrast: int) -> Array:
        """Cut the acquired images of a contrast."""
        return self.cut(self.slices.images[:, contrast])

    def cut(self, images: Array) -> Array:
        """Cut [slice, row, column] images to the box and the slices that count, as float32."""
        own = np.require(images[self.box], requirements=("C", "W", "E"))
        # PyTorch turns float16 into float32 several times faster than NumPy.
        return torch.from_numpy(own).float().numpy()

    def inside(self, images: Tensor) -> Tensor:
        """Values of cut images within the body, sorted by tissue."""
        return images.reshape(-1).index_select(0, self.voxels)

    def means(self, values: Tensor) -> dict[str, float]:
        """Means of `values` (see `inside`) over the body and over each tissue."""
        # Pairwise sums in float32 of each stretch, and those in float64.
        sums = torch.stack([values[a:b].sum() for _, a, b in self.stretches]).double().tolist()
        tissues = {
            name: part / (stop - start)
            for (name, start, stop), part in zip(self.stretches, sums, strict=True)
            if name is not None and stop - start >= SMALLEST_REGION
        }
        return {BODY: sum(sums) / len(self.voxels), **tissues}


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
        images = tensor(target)
        self.windowed = WindowedTarget(images, data_range, patient.runs)
        self.values = patient.inside(images)
        self.levels = grey_levels(self.values, data_range)
        self.power = patient.means(self.values.square())
        self.blur = blurredness(images, patient.mask)

    def score(self, prediction: Array) -> Iterator[tuple[str, str, float]]:
        """Yield (region, metric, value) of cut images [slice, row, column], float32.

        The metrics are those of `pipeline_lib.evaluation.metrics` (a test holds them equal).
        """
        patient, images = self.patient, tensor(prediction)
        values = patient.inside(images)
        error = values - self.values
        absolute, squared = patient.means(error.abs()), patient.means(error.square())
        signed = patient.means(error)
        moments = self.windowed.moments(images)
        ssim = patient.means(patient.inside(self.windowed.similarity(moments)))
        through = patient.means(patient.inside(self.windowed.similarity_through(moments)))
        of_body = {
            "ssim_3d": through[BODY],
            "nmi": mutual_information(grey_levels(values, self.data_range), self.levels),
            "blur": ratio(blurredness(images, patient.mask), self.blur),
        }
        for region in absolute:
            yield region, "mae", absolute[region]
            yield region, "nrmse", math.sqrt(ratio(squared[region], self.power[region]))
            yield region, "psnr", float(decibels(squared[region], self.data_range))
            yield region, "ssim", ssim[region]
            yield region, "bias", signed[region]
            if region == BODY:
                yield from ((region, metric, value) for metric, value in of_body.items())


def score_patient(
    images: Images,
    answer: Answer,
    ranges: Mapping[str, float],
    pairs: Iterable[Pair],
    paper: str | None = None,
    experiment: Iterable[Pair] | None = None,
) -> list[Score]:
    """Score a patient's answers for pairs of contrasts.

    Parameters
    ----------
    images
        The patient. A pair is scored over the slices that are held (see `scored_rows`), and has no
        row where none of those shows the body.
    answer
        Gives the prediction of all slices for a source and a target of `pairs`.
    ranges
        Declared range of each contrast.
    pairs
        What to score; the rows come target by target.
    paper
        Whose formula gives rows of the region "paper" too; see `formulas`.
    experiment
        All pairs of the experiment, where `pairs` are some of them.

    Raises
    ------
    InputError
        If a prediction is not finite within the body, or the paper is unknown.
    """
    check_paper(paper)
    pairs = list(pairs)
    given = always_given(pairs if experiment is None else list(experiment))
    slices, names = images.slices, list(images.slices.contrasts)
    scores: list[Score] = []
    patient: PatientScorer | None = None
    for target, sources in by_target(pairs).items():
        data_range = ranges[names[target]]
        scorer: TargetScorer | None = None
        for source in sources:
            rows = scored_rows(images, source, target, given)
            if images.held is not None and not np.any(slices.body[rows]):
                continue
            if patient is None or not np.array_equal(patient.rows, rows):
                patient, scorer = PatientScorer(slices, rows), None
            if scorer is None:
                scorer = TargetScorer(patient, patient.image(target), data_range)
            whole = answer(source, target)
            prediction = patient.cut(whole)
            if not np.isfinite(prediction).all():
                raise InputError(
                    f"the prediction of {names[target]} from {names[source]} for {slices.patient} "
                    "holds NaN or infinity; the training diverged: lower its learning rate."
                )
            values = list(scorer.score(prediction))
            if paper is not None:
                of_paper = paper_scores(paper, whole[rows], slices.images[rows, target], data_range)
                values += [(PAPER, metric, value) for metric, value in of_paper.items()]
            scores += [
                Score(slices.patient, names[source], names[target], *each, data_range)
                for each in values
            ]
    return scores


def _stretch(rows: Array) -> slice | Array:
    """Consecutive rows as a slice, which copies nothing of a mapped file that is cut off."""
    if (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _reach(occupied: Array) -> slice:
    places = np.flatnonzero(occupied)
    return slice(max(places[0] - REACH, 0), min(places[-1] + REACH + 1, len(occupied)))
