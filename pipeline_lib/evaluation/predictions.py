"""Predictions of a model on disk, patient by patient."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.pairs import Answer
from pipeline_lib.files import read_json
from pipeline_lib.slices.images import Images

Array = np.ndarray

# Axis of the maps: PD, and T1 and T2 in seconds.
MAPS = 3


class Predictions:
    """A folder of predictions: what it holds is memory-mapped, and read where it is looked at.

    Parameters
    ----------
    folder
        `predictions.npy` is [slice, pair, row, column]; `index.csv` names patient, session and
        slice of each entry of the first axis, `predictions.json` the contrasts, the pairs of the
        second axis, and `map_sources`, those of the second axis of `maps.npy`
        ([slice, source, (PD, T1, T2), row, column]), where there is one.

    Attributes
    ----------
    contrasts
        Names of the patients' contrasts, in their order.
    pairs
        Names of source and target along the axis of pairs.
    values, maps
        The arrays, on the patients' scales, times in seconds; no maps is None. They are mapped
        anew each time: what was read of one patient leaves memory with the last use of its array.
    map_sources
        Names of the contrasts that the maps were made from.
    index
        For each slice its patient, session and place in the patient's store (`slice`).

    Raises
    ------
    InputError
        If a file is missing or they do not fit each other.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        described = read_json(folder / "predictions.json")
        try:
            self.contrasts = [str(name) for name in described["contrasts"]]
            self.pairs = [(str(source), str(target)) for source, target in described["pairs"]]
            self.map_sources = [str(name) for name in described.get("map_sources", [])]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{folder}/predictions.json does not list contrasts and pairs ({error!r}); "
                "predict again."
            ) from None
        self._check_names()
        self._has_maps = bool(self.map_sources) or (folder / "maps.npy").exists()
        try:
            shapes = self.values.shape, None if self.maps is None else self.maps.shape
            kinds = {"patient": "category", "session": "category", "slice": "int32"}
            table = pd.read_csv(folder / "index.csv", dtype=kinds, keep_default_na=False)
            self.index = table[list(kinds)]
        except FileNotFoundError as error:
            raise InputError(f"{error.filename} is missing; predict again.") from None
        except (KeyError, ValueError) as error:
            raise InputError(f"{folder} can't be read ({error!r}); predict again.") from None
        self._check_shapes(*shapes)
        self._rows = self.index.groupby("patient", observed=True).indices

    @property
    def values(self) -> Array:
        """Predicted images, mapped."""
        return _mapped(self.folder / "predictions.npy")

    @property
    def maps(self) -> Array | None:
        """Predicted maps, mapped."""
        return _mapped(self.folder / "maps.npy") if self._has_maps else None

    def rows_of(self, patient: str) -> Array:
        """Places of a patient's slices along the first axis, ascending; none of an unknown one."""
        return np.asarray(self._rows.get(patient, ()), dtype=np.intp)

    @property
    def patients(self) -> list[str]:
        """Patients in the order of the index."""
        return list(dict.fromkeys(self.index["patient"]))

    def answer(self, images: Images) -> Answer:
        """Answer for one patient and the pairs that were predicted, in all slices.

        Raises
        ------
        InputError
            If not all slices of the patient were predicted, or its contrasts are others.
        """
        slices = images.slices
        rows = self.rows_of(slices.patient)
        places = self.index["slice"].to_numpy()[rows]
        fits = list(slices.contrasts) == self.contrasts
        if not fits or sorted(places) != list(range(len(slices))):
            raise InputError(
                f"{self.folder} was not predicted from these slices of {slices.patient} "
                f"({len(rows)} of {len(slices)} slices, contrasts {', '.join(self.contrasts)}); "
                "predict again."
            )
        rows = rows[np.argsort(places)]
        first, last = int(rows[0]), int(rows[-1])
        # In order, as they are written, no copy is made of what the cut leaves out.
        in_order = (np.diff(rows) == 1).all()
        which: slice | Array = slice(first, last + 1) if in_order else rows
        place = {pair: at for at, pair in enumerate(self.pairs)}
        values = self.values

        def predict(source: int, target: int) -> Array:
            return values[which, place[self.contrasts[source], self.contrasts[target]]]

        return predict

    def _check_names(self) -> None:
        named = {name for pair in self.pairs for name in pair} | set(self.map_sources)
        unknown = sorted(named - set(self.contrasts))
        if unknown:
            raise InputError(
                f"{self.folder}/predictions.json names {', '.join(unknown)}, but its contrasts are "
                f"{', '.join(self.contrasts)}; predict again."
            )
        if len(set(self.pairs)) < len(self.pairs):
            raise InputError(f"{self.folder}/predictions.json names a pair twice; predict again.")

    def _check_shapes(self, values: tuple[int, ...], maps: tuple[int, ...] | None) -> None:
        count = len(self.index)
        if len(values) != 4 or values[:2] != (count, len(self.pairs)):
            raise InputError(
                f"{self.folder}/predictions.npy has the shape {values}, but its index "
                f"names {count} slices and predictions.json {len(self.pairs)} pairs; predict again."
            )
        if maps is None:
            return
        expected = (count, len(self.map_sources), MAPS, *values[2:])
        if maps != expected:
            raise InputError(
                f"{self.folder}/maps.npy has the shape {maps} instead of {expected}, "
                f"for maps from {', '.join(self.map_sources) or 'no contrast'}; predict again."
            )


def _mapped(path: Path) -> Array:
    return np.load(path, mmap_mode="r", allow_pickle=False)
