"""Pairs of a source and a target contrast: what is scored, over which slices, and one score."""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Sequence as Series
from typing import NamedTuple

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.slices.images import Images

Array = np.ndarray
Pair = tuple[int, int]
"""Indices of a source and a target among a patient's contrasts."""
Answer = Callable[[int, int], Array]
"""Prediction [slice, row, column] of a patient for the indices of a source and a target."""

BODY = "body"
# Region of what a paper's own formula gives: it has its own idea of what counts.
PAPER = "paper"


class Score(NamedTuple):
    """One value of the table of metrics."""

    patient: str
    source: str
    target: str
    region: str
    metric: str
    value: float
    data_range: float


def always_given(pairs: Collection[Pair]) -> list[int]:
    """Give the contrast that all pairs start from, where there is one: it is no held image."""
    sources = {source for source, _ in pairs}
    return list(sources) if len(sources) == 1 else []


def scored_rows(images: Images, source: int, target: int, given: Collection[int]) -> Array:
    """Give the slices over which a pair is scored: those whose images the split holds.

    Parameters
    ----------
    images
        Of one patient.
    source, target
        Indices of contrasts.
    given
        See `always_given`; their images need not be held as a source.
    """
    return images.rows(target) if source in given else images.rows(source, target)


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
