"""The nearest training image: what a network that only remembers could answer."""

from collections.abc import Sequence as Listing

import numpy as np

from pipeline_lib.evaluation.likeness import nearest_known, sequence_distances
from pipeline_lib.evaluation.pairs import Answer
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.lazily import Lazily
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

# Slices are compared after block means, to about this many pixels a side.
COARSE = 32
# Training slices that are searched: their block means of one contrast are some 70 MB.
MOST_SLICES = 2**13


class NearestCopy:
    """Answers with a copy of a training image.

    For each source image the training slice is sought whose image of the source contrast is most
    alike (the smallest sum of squared differences of block means), and its image of the target
    contrast is the answer. Of a contrast that a training slice does not hold, the one of the
    nearest sequence stands in (see `likeness.sequence_distances`), on both sides. Where slices of
    one head are both in training and in the test this is the same slice under nearly the same
    parameters; where patients are held out it is the most alike slice of another patient. Of more
    than 8,192 training slices as many are searched, spread evenly over the patients.

    Parameters
    ----------
    training
        Training patients, of one size and the same contrasts, with an image at least.
    """

    def __init__(self, training: Listing[Images]) -> None:
        self.training = Lazily(range(len(training)), lambda place: training[place].slices)
        distances = sequence_distances(self.training[0].contrasts)
        rows = [np.flatnonzero(_held(images).any(axis=1)) for images in training]
        patients = np.repeat(np.arange(len(rows)), list(map(len, rows)))
        count = len(patients)
        chosen = np.linspace(0, count - 1, min(count, MOST_SLICES)).round().astype(np.intp)
        self.patients, self.rows = patients[chosen], np.concatenate(rows)[chosen]
        # [training slice, contrast]: the contrast that answers for each.
        self.stand_ins = np.concatenate(
            [
                nearest_known(_held(training[number])[self.rows[here]], distances)
                for number in np.unique(self.patients)
                for here in [self.patients == number]
            ]
        )
        self.coarse: dict[int, tuple[Array, Array]] = {}

    def answer(self, slices: PatientSlices) -> Answer:
        """Answer for one patient."""
        alike: dict[int, Array] = {}

        def predict(source: int, target: int) -> Array:
            if source not in alike:
                alike[source] = self.most_alike(slices.images[:, source], source)
            return self._images(alike[source], target)

        return predict

    def most_alike(self, images: Array, source: int) -> Array:
        """Find the training slice for each of [slice, row, column] images of a contrast.

        Returns
        -------
            Indices along `patients` and `rows`.
        """
        if source not in self.coarse:
            candidates = np.concatenate(
                [
                    block_means(self._images(np.flatnonzero(self.patients == number), source))
                    for number in np.unique(self.patients)
                ]
            )
            self.coarse[source] = candidates, np.einsum("ij,ij->i", candidates, candidates)
        candidates, power = self.coarse[source]
        # |a - b|^2 without |a|^2, which is the same for all candidates b.
        return (power - 2 * block_means(images) @ candidates.T).argmin(axis=1)

    def _images(self, places: Array, contrast: int) -> Array:
        """Give the images of training slices, [place, row, column]."""
        return np.stack(
            [
                self.training[self.patients[place]].images[
                    self.rows[place], self.stand_ins[place, contrast]
                ]
                for place in places
            ]
        )


def _held(images: Images) -> Array:
    """Give the images that are known, bool [slice, contrast]."""
    if images.held is not None:
        return images.held
    return np.ones(images.slices.images.shape[:2], dtype=bool)


def block_means(images: Array) -> Array:
    """Means of square blocks of [slice, row, column] images, as float64 [slice, block].

    The blocks are as large as leaves at least 32 of them along the longer side; the frame is
    filled up with zeros to whole blocks.
    """
    count, rows, columns = images.shape
    edge = max(1, max(rows, columns) // COARSE)
    padded = np.pad(images, [(0, 0), (0, -rows % edge), (0, -columns % edge)])
    blocks = padded.reshape(count, padded.shape[1] // edge, edge, padded.shape[2] // edge, edge)
    return blocks.mean(axis=(2, 4), dtype=float).reshape(count, -1)
