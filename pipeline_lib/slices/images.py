"""Which images a part of a split holds: all of a patient, or in a leaked split some of them."""

from array import array
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.slices.lazily import Lazily
from pipeline_lib.slices.split import read_rows
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


class Part(Lazily[tuple[Path, np.ndarray | None], Images]):
    """The patients of one part of a fold, opened one at a time, in the table's order.

    Parameters
    ----------
    folders
        Slice folders of the patients.
    held
        Images of each patient that the part holds, bool [slice, contrast], or `None` for all.
    """

    def __init__(self, folders: Iterable[Path], held: Iterable[np.ndarray | None]) -> None:
        self.folders, self.held = tuple(folders), tuple(held)
        super().__init__(zip(self.folders, self.held, strict=True), _opened)


def _opened(patient: tuple[Path, np.ndarray | None]) -> Images:
    folder, held = patient
    return Images(PatientSlices.open(folder), held)


def read_images(folders: Listing[Path], split: Path, fold: int, part: str) -> Part:
    """Find the slices of one part of a fold; those of other parts alone are left closed.

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
    drawn: dict[str, dict[str | None, array[int]]] = {}
    whole: set[str] = set()
    for row in read_rows(split, fold):
        if row.split == part:
            slices = drawn.setdefault(row.patient, {})
            if row.slice is None:
                whole.add(row.patient)
            else:
                slices.setdefault(row.contrast, array("q")).append(row.slice)
    of_patient = {path.name: path for path in folders}
    for patient in drawn:
        if patient not in of_patient:
            raise InputError(f"{split} names {patient}, of which there are no slices")
        if patient in whole and drawn[patient]:
            raise _unknown_image(split, patient, None, None)
    found = [of_patient[patient] for patient in drawn]
    units = zip(found, drawn.values(), strict=True)
    return Part(found, (_held(split, folder, own) for folder, own in units))


def _held(split: Path, folder: Path, units: Mapping[str | None, "array[int]"]) -> np.ndarray | None:
    """Give the images of a patient that a leaked split drew; `None` of an honest one."""
    if not units:
        return None
    slices = PatientSlices.open(folder)
    held = np.zeros(slices.images.shape[:2], bool)
    places = {name: place for place, name in enumerate(slices.contrasts)}
    for name, rows in units.items():
        contrast = slice(None) if name is None else places.get(name)
        outside = next((row for row in rows if not 0 <= row < len(slices)), None)
        if contrast is None or outside is not None:
            row = rows[0] if outside is None else outside
            raise _unknown_image(split, slices.patient, row, name)
        held[rows, contrast] = True
    return held


def _unknown_image(split: Path, patient: str, row: int | None, contrast: str | None) -> InputError:
    return InputError(
        f"{split} names slice {row} and contrast {contrast} of {patient}, which its slices don't "
        "have; make the table again."
    )
