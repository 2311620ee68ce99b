"""Predictions of a model on disk, patient by patient."""

import csv
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.scoring import Answer
from pipeline_lib.files import read_json
from pipeline_lib.slices.store import PatientSlices


class Predictions:
    """A folder of predictions: `predictions.npy`, memory-mapped, `index.csv`, `predictions.json`.

    Parameters
    ----------
    folder
        `predictions.npy` is [slice, source, target, row, column]; `index.csv` names patient and
        slice of each entry of the first axis.

    Raises
    ------
    InputError
        If a file is missing or they do not fit each other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.values = np.load(folder / "predictions.npy", mmap_mode="r", allow_pickle=False)
            with (folder / "index.csv").open(newline="") as file:
                self.index = [(row["patient"], int(row["slice"])) for row in csv.DictReader(file)]
        except FileNotFoundError as error:
            raise InputError(f"{error.filename} is missing; predict again.") from None
        except (KeyError, ValueError) as error:
            raise InputError(f"{folder} can't be read ({error!r}); predict again.") from None
        self.contrasts = list(read_json(folder / "predictions.json")["contrasts"])
        pairs = (len(self.contrasts),) * 2
        if self.values.ndim != 5 or self.values.shape[:3] != (len(self.index), *pairs):
            raise InputError(
                f"{folder}/predictions.npy has the shape {self.values.shape}, but its index names "
                f"{len(self.index)} slices and {len(self.contrasts)} contrasts; predict again."
            )

    @property
    def patients(self) -> list[str]:
        """Patients in the order of the index."""
        return list(dict.fromkeys(patient for patient, _ in self.index))

    def answer(self, slices: PatientSlices) -> Answer:
        """Answer for one patient.

        Raises
        ------
        InputError
            If not all slices of the patient were predicted, or its contrasts are others.
        """
        place = {
            at: row for row, (patient, at) in enumerate(self.index) if patient == slices.patient
        }
        fits = list(slices.contrasts) == self.contrasts
        if not fits or sorted(place) != list(range(len(slices))):
            raise InputError(
                f"{self.folder} was not predicted from these slices of {slices.patient} "
                f"({len(place)} of {len(slices)} slices, contrasts {', '.join(self.contrasts)}); "
                "predict again."
            )
        rows = [place[at] for at in range(len(slices))]
        first = rows[0]
        # In order, as they are written, no copy is made of what the cut leaves out.
        which = (
            slice(first, first + len(rows)) if rows == [*range(first, first + len(rows))] else rows
        )
        return lambda source, target: self.values[which, source, target]
