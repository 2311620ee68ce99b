"""How alike sequences are, and what of the training images a network of an experiment saw."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import replace

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.pairs import Pair, always_given
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.lazily import Lazily

Array = np.ndarray

# Spans of Narang et al. 2022: TE from 20 ms to 1 s, TR from 1.2 to 10 s.
TE_SPAN = np.log(50)
TR_SPAN = 8.8
# Less than any difference of times that a scanner can be set to.
SAME = 1e-9


def sequence_distances(contrasts: Mapping[str, Sequence]) -> Array:
    """Distances between the sequences of contrasts, [contrast, contrast].

    Euclidean in (log TE / log 50, TR / 8.8 s, TI / 8.8 s): each of TE and TR counts by the span
    that Narang et al. 2022 sampled. No inversion is TI 0; a train of echoes or a single one is no
    difference. Two contrasts of the same times are a little apart, so that none is nearer to a
    contrast than itself.
    """
    places = np.array(
        [
            (np.log(sequence.te) / TE_SPAN, sequence.tr / TR_SPAN, (sequence.ti or 0.0) / TR_SPAN)
            for sequence in contrasts.values()
        ]
    )
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return np.maximum(distances, SAME * (1 - np.eye(len(places))))


def seen_in_training(
    training: Listing[Images], pairs: Collection[Pair], unseen: Iterable[str]
) -> Lazily[int, Images]:
    """Take from training images what a network of an experiment's pairs never saw.

    Baselines made of these know no more than a network: no image of the experiment's unseen
    contrasts. The contrast that all pairs start from is given with every image.

    Parameters
    ----------
    training
        Training patients, with the images that the split holds for training.
    pairs
        Of the experiment.
    unseen
        Names of its unseen contrasts.

    Raises
    ------
    InputError
        If nothing is left.
    """
    given, left_out = always_given(pairs), set(unseen)

    def known(place: int) -> Images:
        images = training[place]
        held = np.ones(images.slices.images.shape[:2], dtype=bool)
        if images.held is not None:
            held = images.held.copy()
            held[:, given] = held.any(axis=1, keepdims=True)
        held[:, [name in left_out for name in images.slices.contrasts]] = False
        return replace(images, held=None if held.all() else held)

    result = Lazily(range(len(training)), known)
    if not any(images.held is None or images.held.any() for images in result):
        raise InputError(
            "the split holds no training image of a contrast that is not `unseen:`; give it some."
        )
    return result


def nearest_known(known: Array, distances: Array) -> Array:
    """Replace each contrast by the nearest one that is known, itself if it is.

    Parameters
    ----------
    known
        bool [..., contrast], at least one in each row.
    distances
        [contrast, contrast]; see `sequence_distances`.

    Returns
    -------
        Indices of contrasts, [..., contrast].
    """
    return np.where(known[..., None, :], distances, np.inf).argmin(axis=-1)


def held_together(training: Listing[Images]) -> Array:
    """Tell of which pairs of contrasts some training slice holds both images.

    Returns
    -------
        bool [contrast, contrast].
    """
    count = len(training[0].slices.contrasts)
    together = np.zeros((count, count), dtype=bool)
    for images in training:
        if images.held is None:
            return np.ones_like(together)
        together |= (images.held.T.astype(np.int64) @ images.held) > 0
    return together


def nearest_known_pair(pair: Pair, known: Array, distances: Array) -> Pair:
    """Replace a pair by the nearest one that is known, itself if it is.

    Parameters
    ----------
    pair
        Indices of source and target.
    known
        bool [contrast, contrast], some of them True; see `held_together`.
    distances
        [contrast, contrast]; see `sequence_distances`. Those of source and target add up.
    """
    apart = distances[pair[0]][:, None] + distances[pair[1]]
    nearest = np.where(known, apart, np.inf).argmin()
    source, target = np.unravel_index(nearest, known.shape)
    return int(source), int(target)
