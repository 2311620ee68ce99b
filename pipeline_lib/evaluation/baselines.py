"""Answers that need no network: what a learned model has to beat.

They are made of training images alone; of a leaked split, of the images that it holds for training.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Sequence as Series

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.likeness import (
    held_together,
    nearest_known,
    nearest_known_pair,
    sequence_distances,
)
from pipeline_lib.evaluation.pairs import Answer, Pair
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

RANGE_PERCENTILE = 99.9
BINS = 256


def declared_ranges(training: Series[Images]) -> dict[str, float]:
    """Give the data range R of each contrast, from training images alone.

    The median over patients of the 99.9th percentile within the body: a patient is the unit, so
    that one with many slices or one odd scan does not set the range of all. A contrast of which a
    leaked split holds no training image takes the range of the one of the nearest sequence.

    Raises
    ------
    InputError
        If a contrast has no signal, no image is held, or the patients' contrasts differ.
    """
    check_alike(images.slices for images in training)
    highest = _of_patients(training, lambda values: float(np.percentile(values, RANGE_PERCENTILE)))
    ranges = np.nanmedian(highest, axis=0)
    for name, largest in zip(training[0].slices.contrasts, ranges, strict=True):
        if not largest > 0:
            raise InputError(
                f"{name} has no signal within the body of the training patients; "
                "look at its scans, or take it out of `contrasts:`."
            )
    return dict(zip(training[0].slices.contrasts, map(float, ranges), strict=True))


def own_ranges(patients: Series[Images]) -> dict[str, float]:
    """Give the data range of patients whom no training patient stands for: 1 on their own scale."""
    return dict.fromkeys(patients[0].slices.contrasts, 1.0)


def _of_patients(training: Series[Images], statistic: Callable[[Array], float]) -> Array:
    """Take a number of each patient's held voxels within the body, [patient, contrast].

    NaN where a patient holds no image of a contrast; of a contrast that none holds they are the
    numbers of the one of the nearest sequence.
    """
    found = np.full((len(training), len(training[0].slices.contrasts)), np.nan)
    for number, images in enumerate(training):
        inside = np.asarray(images.slices.body) > 0
        for contrast in range(found.shape[1]):
            rows = images.rows(contrast)
            values = images.slices.images[rows, contrast][inside[rows]]
            if len(values):
                found[number, contrast] = statistic(values)
    known = np.isfinite(found).any(axis=0)
    if not known.any():
        raise InputError("the split holds no image for training; give it some.")
    return found[:, nearest_known(known, sequence_distances(training[0].slices.contrasts))]


def check_alike(patients: Iterable[PatientSlices]) -> None:
    """Refuse patients whose contrasts or their order differ.

    Raises
    ------
    InputError
        If there are some.
    """
    name, expected = "", list[str]()
    for slices in patients:
        found = list(slices.contrasts)
        name, expected = (name, expected) if name else (slices.patient, found)
        if found != expected:
            raise InputError(
                f"the slices of {slices.patient} have the contrasts {', '.join(found)}, "
                f"those of {name} {', '.join(expected)}; "
                "make the slices of both again."
            )


def do_nothing(slices: PatientSlices) -> Answer:
    """Answer with the source image as it is."""
    return lambda source, _: slices.images[:, source]


class TrainingMean:
    """Answers with one number: the mean of the target contrast within the training bodies.

    0 outside the body. Each training patient weighs the same; a contrast without a training image
    has the mean of the one of the nearest sequence.
    """

    def __init__(self, training: Series[Images]) -> None:
        means = _of_patients(training, lambda values: float(values.mean(dtype=float)))
        self.means = np.nanmean(means, axis=0).astype(np.float32)

    def answer(self, slices: PatientSlices) -> Answer:
        """Answer for one patient."""
        body = (np.asarray(slices.body) > 0).astype(np.float32)
        return lambda _, target: body * self.means[target]


class LookUpTable:
    """Answers with the mean target value of the training voxels of the same source value.

    One table for each source and target: 256 bins from 0 to the source's declared range, filled
    within the training bodies by the slices that hold both images, interpolated between the
    centres of the bins that have voxels and constant beyond them; 0 outside the body. A pair that
    no training slice holds is answered by the table of the pair of the nearest sequences. What a
    model achieves beyond it comes from looking at more than one voxel.

    Parameters
    ----------
    training
        Training patients.
    ranges
        Declared range of each contrast.
    pairs
        For which to make tables.
    """

    def __init__(
        self, training: Series[Images], ranges: Mapping[str, float], pairs: Collection[Pair]
    ) -> None:
        contrasts = training[0].slices.contrasts
        self.ranges = [ranges[name] for name in contrasts]
        self.centres = (np.arange(BINS) + 0.5) / BINS
        known, distances = held_together(training), sequence_distances(contrasts)
        # For each pair the one whose table answers.
        self.stand_ins = {pair: nearest_known_pair(pair, known, distances) for pair in pairs}
        self.counts = {pair: np.zeros(BINS) for pair in self.stand_ins.values()}
        self.sums = {pair: np.zeros(BINS) for pair in self.counts}
        for images in training:
            self._fill(images)

    def _fill(self, images: Images) -> None:
        inside = np.asarray(images.slices.body) > 0
        slice_of_voxel = np.nonzero(inside)[0]
        held = np.zeros(len(images.slices), dtype=bool)
        values: dict[int, Array] = {}
        for source, target in self.counts:
            for contrast in (source, target):
                if contrast not in values:
                    values[contrast] = images.slices.images[:, contrast][inside]
            held[:] = False
            held[images.rows(source, target)] = True
            taken = slice(None) if held.all() else held[slice_of_voxel]
            scaled = values[source][taken] * (BINS / self.ranges[source])
            bins = np.clip(scaled, 0, BINS - 1).astype(np.intp)
            self.counts[source, target] += np.bincount(bins, minlength=BINS)
            self.sums[source, target] += np.bincount(bins, values[target][taken], BINS)

    def look_up(self, images: Array, source: int, target: int) -> Array:
        """Mean target values for source images of any shape."""
        source, target = self.stand_ins[source, target]
        counts = self.counts[source, target]
        filled = counts > 0
        means = self.sums[source, target][filled] / counts[filled]
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
