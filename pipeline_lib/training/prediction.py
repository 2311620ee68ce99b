"""Predictions of a trained model for whole patients, of any pairs of contrasts."""

import csv
import logging
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Listing
from pathlib import Path

import numpy as np
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.machine import Machine

log = logging.getLogger(__name__)

BATCH = 16
# Predicted images that are in memory together, at most (a slice's targets always are).
IMAGES_AT_ONCE = 512


def predict_patients(
    model: TransferModel,
    patients: Listing[PatientSlices],
    channels: Channels,
    pairs: Listing[tuple[str, str]],
    machine: Machine,
    system: str,
    output: Path,
) -> None:
    """Predict all slices of patients and write them to a folder, whole or not at all.

    Parameters
    ----------
    model
        Ready to predict.
    patients
        All of the same contrasts and size, at least one.
    channels
        What the model is shown of a slice.
    pairs
        Names of source and target contrasts.
    machine
        Device and precision.
    system
        Name of the model's system.
    output
        Gets predictions.npy (float16 [slice, pair, row, column]), maps.npy if the model has maps
        (float16 [slice, source, 3, row, column]: PD, T1 and T2 in seconds), index.csv (patient,
        session and row of each slice in the patient's store) and predictions.json (the contrasts,
        the pairs, the sources of the maps, the system).

    Raises
    ------
    InputError
        If there is no patient, or the patients' contrasts or sizes differ, or a pair is not
        theirs.
    """
    _check(patients, pairs)
    model.to(machine.device)
    names = list(patients[0].contrasts)
    sources = list(dict.fromkeys(source for source, _ in pairs))
    count, size = sum(map(len, patients)), patients[0].images.shape[2:]
    most = max(sum(pair[0] == source for pair in pairs) for source in sources)
    batch = min(BATCH, max(1, IMAGES_AT_ONCE // most))
    with folder_written_whole(output) as folder:
        predictions = _Images(folder / "predictions.npy", (count, len(pairs), *size))
        maps = None
        for first, store, rows in _batches(patients, batch):
            for number, source in enumerate(sources):
                sequence = store.contrasts[source]
                images = torch.from_numpy(channels.read_all(store, rows, names.index(source)))
                images = images.to(machine.device)
                which = [place for place, pair in enumerate(pairs) if pair[0] == source]
                targets = [store.contrasts[pairs[place][1]] for place in which]
                with torch.no_grad(), machine.autocast():
                    predicted = model.predict_all(images, sequence, targets)
                    estimated = model.maps(images, sequence)
                for index, place in enumerate(which):
                    predictions.put(first, place, predicted[:, index].float().cpu().numpy())
                if estimated is not None:
                    if maps is None:
                        maps = _Images(folder / "maps.npy", (count, len(sources), 3, *size))
                    maps.put(first, number, estimated.float().cpu().numpy())
        for images_of in (predictions, maps):
            if images_of is not None:
                images_of.close()
        _write_index(folder / "index.csv", patients)
        described = {
            "contrasts": names,
            "pairs": [list(pair) for pair in pairs],
            "map_sources": [] if maps is None else sources,
            "system": system,
        }
        write_json(folder / "predictions.json", described)
    log.info("predicted %d slices of %d patients", count, len(patients))


def _check(patients: Listing[PatientSlices], pairs: Listing[tuple[str, str]]) -> None:
    if not patients:
        raise InputError("the split has no test patient in this fold; give `test` a patient")
    first = patients[0]
    for name in (name for pair in pairs for name in pair):
        if name not in first.contrasts:
            raise InputError(
                f"the model transfers {name}, which {first.patient} has not; it has "
                f"{', '.join(first.contrasts)}."
            )
    for store in patients:
        same = list(store.contrasts) == list(first.contrasts)
        if not same or store.images.shape[1:] != first.images.shape[1:]:
            raise InputError(
                f"{store.patient} and {first.patient} differ in contrasts or size of their slices; "
                "make them of one dataset."
            )


def _batches(
    patients: Listing[PatientSlices], size: int
) -> Iterator[tuple[int, PatientSlices, range]]:
    first = 0
    for store in patients:
        for row in range(0, len(store), size):
            yield first + row, store, range(row, min(row + size, len(store)))
        first += len(store)


class _Images:
    """A .npy file of float16 [slice, place, ...] that is written image by image.

    Pages of a mapped file would count as memory of this process, all patients' in the end; and a
    full disk would end it without a word.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.file = path.open("wb")
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float16))
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)
        self.start = self.file.tell()

    def put(self, first: int, place: int, images: np.ndarray) -> None:
        """Write images of consecutive slices, from `first` on, at one place of the second axis."""
        for row, image in enumerate(images.astype(np.float16), first):
            number = row * self.shape[1] + place
            self.file.seek(self.start + number * image.nbytes)
            self.file.write(image.tobytes())

    def close(self) -> None:
        """End the file."""
        self.file.close()


def _write_index(path: Path, patients: Iterable[PatientSlices]) -> None:
    """Name patient, session and row of each slice, in the order of the predictions."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", "session", "slice"])
        for store in patients:
            rows = enumerate(store.sessions)
            writer.writerows((store.patient, session, row) for row, session in rows)
