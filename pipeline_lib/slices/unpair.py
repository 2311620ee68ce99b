"""Training data without pairs: shifts drawn for each slice and contrast, or one contrast a patient.

Simko et al. 2021 (section 2.3) shift every image by up to 10 pixels, each on its own, so that no
two contrasts of a slice lie on top of each other and nothing can be learnt by comparing them. The
draws are a table made first; what reads it only moves images.
"""

import csv
import zlib
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import written_whole
from pipeline_lib.slices.order import in_drawn_order
from pipeline_lib.slices.store import PatientSlices


@dataclass(frozen=True)
class UnpairSettings:
    """How pairs are broken.

    Attributes
    ----------
    mode
        `random_shift` keeps every contrast of every patient; `disjoint` keeps one contrast a
        patient, so that no contrast of a slice has a partner at all.
    max_shift
        Longest shift in pixels, in both directions and in both modes; 0 for none.
    """

    mode: Literal["random_shift", "disjoint"]
    max_shift: int


class Draw(NamedTuple):
    """What is done to one contrast of one slice: a row of the table."""

    patient: str
    slice: int
    contrast: str
    shift_rows: int
    shift_columns: int
    kept: int


def draw_unpaired(
    stores: Listing[PatientSlices], settings: UnpairSettings, seed: int
) -> Iterator[Draw]:
    """Draw the shifts of all slices and contrasts, and what is kept, one row after the other.

    Shifts are whole numbers, uniform from -max_shift to max_shift in rows and in columns, and
    depend on the seed and the names of patient and contrast alone. In mode `disjoint` the patients
    take the contrasts in turn, in the order in which `split` cuts folds, so that any fold's
    training patients share the contrasts out evenly.

    Raises
    ------
    InputError
        If the patients have different contrasts, or are fewer than the contrasts in mode
        `disjoint`.
    """
    contrasts = list(stores[0].contrasts)
    for store in stores:
        if list(store.contrasts) != contrasts:
            raise InputError(
                f"{store.patient} has the contrasts {', '.join(store.contrasts)} but "
                f"{stores[0].patient} has {', '.join(contrasts)}; make all slices again from one "
                "configuration."
            )
    kept: dict[str, str] = {}
    if settings.mode == "disjoint":
        if len(stores) < len(contrasts):
            raise InputError(
                f"`unpairing: mode: disjoint` needs a patient for each of the {len(contrasts)} "
                f"contrasts, but there are {len(stores)} patients; use random_shift."
            )
        order = in_drawn_order([store.patient for store in stores], seed)
        kept = {patient: contrasts[i % len(contrasts)] for i, patient in enumerate(order)}
    return (
        Draw(
            name, row, contrast, int(rows), int(columns), int(kept.get(name, contrast) == contrast)
        )
        for store in stores
        for name in [store.patient]
        for contrast in contrasts
        for row, (rows, columns) in enumerate(
            _shifts(name, contrast, len(store), settings.max_shift, seed)
        )
    )


def write_draws(path: str | Path, draws: Iterable[Draw]) -> None:
    """Write the table as CSV, whole or not at all."""
    with written_whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(Draw._fields)
        writer.writerows(draws)


def shift_image(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Move an image by whole pixels; what moves in is zero, what moves out is lost.

    Parameters
    ----------
    image
        [..., row, column] of any kind of number.
    rows, columns
        Pixels that the content moves towards higher indices; negative for lower ones.

    Returns
    -------
        A new array of the same shape and kind.
    """
    height, width = image.shape[-2:]
    shifted = np.zeros_like(image)
    if abs(rows) < height and abs(columns) < width:
        shifted[..., _to(rows, height), _to(columns, width)] = image[
            ..., _to(-rows, height), _to(-columns, width)
        ]
    return shifted


def _to(shift: int, length: int) -> slice:
    """Part of an axis that content moved by `shift` covers."""
    return slice(max(shift, 0), length + min(shift, 0))


def _shifts(patient: str, contrast: str, count: int, longest: int, seed: int) -> np.ndarray:
    """Shifts [slice, (row, column)] of one contrast of one patient."""
    names = [zlib.crc32(patient.encode()), zlib.crc32(contrast.encode())]
    return np.random.default_rng([seed, *names]).integers(-longest, longest + 1, size=(count, 2))
