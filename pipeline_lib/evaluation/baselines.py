"""Answers that need no network: what a learned model has to beat, and what none can."""

import zlib
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Series

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.noise import noise_sigma
from pipeline_lib.evaluation.scoring import (
    Answer,
    Pair,
    PatientScorer,
    Score,
    TargetScorer,
    by_target,
)
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

RANGE_PERCENTILE = 99.9
BINS = 256


def declared_ranges(training: Series[PatientSlices]) -> dict[str, float]:
    """Give the data range R of each contrast, from training patients alone.

    The median over patients of the 99.9th percentile within the body: a patient is the unit, so
    that one with many slices or one odd scan does not set the range of all.

    Raises
    ------
    InputError
        If a contrast has no signal, or the patients' contrasts differ.
    """
    check_alike(training)
    ranges = {}
    for index, name in enumerate(training[0].contrasts):
        highest = [
            np.percentile(slices.images[:, index][slices.body > 0], RANGE_PERCENTILE)
            for slices in training
        ]
        ranges[name] = float(np.median(highest))
        if not ranges[name] > 0:
            raise InputError(
                f"{name} has no signal within the body of the training patients; "
                "look at its scans, or take it out of `contrasts:`."
            )
    return ranges


def check_alike(patients: Series[PatientSlices]) -> None:
    """Refuse patients whose contrasts or their order differ.

    Raises
    ------
    InputError
        If there are some.
    """
    for slices in patients:
        if list(slices.contrasts) != list(patients[0].contrasts):
            raise InputError(
                f"the slices of {slices.patient} have the contrasts {', '.join(slices.contrasts)}, "
                f"those of {patients[0].patient} {', '.join(patients[0].contrasts)}; "
                "make the slices of both again."
            )


def do_nothing(slices: PatientSlices) -> Answer:
    """Answer with the source image as it is."""
    return lambda source, _: slices.images[:, source]


class TrainingMean:
    """Answers with one number: the mean of the target contrast within the training bodies.

    0 outside the body. Each training patient weighs the same.
    """

    def __init__(self, training: Series[PatientSlices]) -> None:
        self.means = np.mean(
            [
                [
                    slices.images[:, contrast][slices.body > 0].mean(dtype=float)
                    for contrast in range(len(slices.contrasts))
                ]
                for slices in training
            ],
            axis=0,
        ).astype(np.float32)

    def answer(self, slices: PatientSlices) -> Answer:
        """Answer for one patient."""
        body = (np.asarray(slices.body) > 0).astype(np.float32)
        return lambda _, target: body * self.means[target]


class LookUpTable:
    """Answers with the mean target value of the training voxels of the same source value.

    One table for each source and target: 256 bins from 0 to the source's declared range, filled
    within the training bodies, interpolated between the centres of the bins that have voxels and
    constant beyond them; 0 outside the body. What a model achieves beyond it comes from looking at
    more than one voxel.

    Parameters
    ----------
    training
        Training patients.
    ranges
        Declared range of each contrast.
    """

    def __init__(self, training: Series[PatientSlices], ranges: Mapping[str, float]) -> None:
        self.ranges = [ranges[name] for name in training[0].contrasts]
        contrasts = len(self.ranges)
        self.centres = (np.arange(BINS) + 0.5) / BINS
        self.counts = np.zeros((contrasts, BINS))
        self.sums = np.zeros((contrasts, contrasts, BINS))
        for slices in training:
            inside = np.asarray(slices.body) > 0
            values = [slices.images[:, contrast][inside] for contrast in range(contrasts)]
            for source in range(contrasts):
                bins = np.clip(values[source] * (BINS / self.ranges[source]), 0, BINS - 1)
                bins = bins.astype(np.intp)
                self.counts[source] += np.bincount(bins, minlength=BINS)
                for target in range(contrasts):
                    self.sums[source, target] += np.bincount(bins, values[target], BINS)

    def look_up(self, images: Array, source: int, target: int) -> Array:
        """Mean target values for source images of any shape."""
        filled = self.counts[source] > 0
        means = self.sums[source, target][filled] / self.counts[source][filled]
        return np.interp(images / self.ranges[source], self.centres[filled], means)

    def answer(self, slices: PatientSlices) -> Answer:
        """Answer for one patient."""
        inside = np.asarray(slices.body) > 0

        def predict(source: int, target: int) -> Array:
            prediction = np.zeros(inside.shape, dtype=np.float32)
            values = slices.images[:, source][inside]
            prediction[inside] = self.look_up(values, source, target)
            return prediction

        return predict


def noise_ceiling(
    slices: PatientSlices, ranges: Mapping[str, float], seed: int, pairs: Iterable[Pair]
) -> list[Score]:
    """Score a perfect answer against a target with the noise that the targets have.

    The acquired image stands for the perfect answer, and itself with fresh Rician noise for the
    target; the SD of the noise is estimated from that image (see `noise_sigma`). The source plays
    no role: the pairs of a target get the same rows, so that the means over pairs compare.

    Parameters
    ----------
    slices
        The patient.
    ranges
        Declared range of each contrast.
    seed
        Of the noise, together with the names of patient and contrast.
    pairs
        What to give rows for.
    """
    patient = PatientScorer(slices)
    labels = patient.body * (1 + np.asarray(slices.tissues)[patient.box].astype(int))
    names = list(slices.contrasts)
    rows: list[Score] = []
    for target, sources in by_target(pairs).items():
        name = names[target]
        image = patient.image(target)
        rng = np.random.default_rng(
            [seed, *(zlib.crc32(x.encode()) for x in (slices.patient, name))]
        )
        noisy = with_rician_noise(image, noise_sigma(image, labels), rng)
        scores = list(TargetScorer(patient, noisy, ranges[name]).score(image))
        rows += [
            Score(slices.patient, names[source], name, *each, ranges[name])
            for source in sources
            for each in scores
        ]
    return rows
