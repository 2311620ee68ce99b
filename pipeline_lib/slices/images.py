"""Which images a part of a split holds: all of a patient, or in a leaked split some of them."""

from collections.abc import Collection
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.slices.split import SplitRow, patients_of, read_rows
from pipeline_lib.slices.store import PatientSlices


@dataclass(frozen=True)
class Images:
    """A patient's slices, and which of their images a part of the split holds.

    Attributes
    ----------
    slices
        All slices of the patient, whatever is held.
    held
        bool [slice, contrast], the contrasts in the order of `slices`; `None`: all of them.
    """

    slices: PatientSlices
    held: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.held is not None and self.held.shape != self.slices.images.shape[:2]:
            raise ValueError(f"held has not the shape {self.slices.images.shape[:2]}")

    def rows(self, *contrasts: int) -> np.ndarray:
        """Give the indices of the slices whose images of all these contrasts (indices) are held."""
        if self.held is None:
            return np.arange(len(self.slices))
        return np.flatnonzero(self.held[:, list(contrasts)].all(axis=1))


def read_images(folders: Listing[Path], split: Path, fold: int, part: str) -> list[Images]:
    """Open the slices of one part of a fold; those of other parts alone are left closed.

    Parameters
    ----------
    folders
        Slice folders of all patients, named by their patients.
    split
        Table of the split.
    fold
        Which fold.
    part
        train, validation, test or seen.

    Returns
    -------
        Each patient of the part once, in the table's order.

    Raises
    ------
    InputError
        If the table lacks the fold or is of another form, a patient has no slices, or the table
        names a slice or a contrast that the patient has not.
    """
    rows = read_rows(split, fold)
    of_patient = {path.name: path for path in folders}
    result = []
    for patient in patients_of(rows, part):
        if patient not in of_patient:
            raise InputError(f"{split} names {patient}, of which there are no slices")
        own = [row for row in rows if row.patient == patient and row.split == part]
        slices = PatientSlices.open(of_patient[patient])
        result.append(Images(slices, _held(split, slices, own)))
    return result


def _held(split: Path, slices: PatientSlices, rows: Collection[SplitRow]) -> np.ndarray | None:
    if all(row.slice is None for row in rows):
        return None
    held = np.zeros(slices.images.shape[:2], bool)
    places = {name: place for place, name in enumerate(slices.contrasts)}
    for row in rows:
        contrast: int | slice | None = slice(None)
        if row.contrast is not None:
            contrast = places.get(row.contrast)
        if contrast is None or row.slice is None or not 0 <= row.slice < len(slices):
            raise InputError(
                f"{split} names slice {row.slice} and contrast {row.contrast} of {row.patient}, "
                "which its slices don't have; make the table again."
            )
        held[row.slice, contrast] = True
    return held
