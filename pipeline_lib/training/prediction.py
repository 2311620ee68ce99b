"""Predictions of a trained model for whole patients, every contrast from every other."""

import logging
from collections.abc import Iterator
from collections.abc import Sequence as Listing
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, write_json
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.machine import Machine

log = logging.getLogger(__name__)

BATCH = 16


def predict_patients(
    model: TransferModel,
    patients: Listing[PatientSlices],
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
    machine
        Device and precision.
    system
        Name of the model's system.
    output
        Gets predictions.npy (float16 [slice, source, target, row, column], the diagonal
        included), maps.npy if the model has maps (float16 [slice, source, 3, row, column]: PD, T1
        and T2 in seconds), index.csv (patient, session and row of each slice in the patient's
        store) and predictions.json.

    Raises
    ------
    InputError
        If there is no patient, or the patients' contrasts or sizes differ.
    """
    _check(patients)
    model.to(machine.device)
    names = list(patients[0].contrasts)
    count, size = sum(map(len, patients)), patients[0].images.shape[2:]
    with folder_written_whole(output) as folder:
        shape = (count, len(names), len(names), *size)
        predictions = _new_array(folder / "predictions.npy", shape)
        maps = None
        for first, store, rows in _batches(patients):
            for source, sequence in enumerate(store.contrasts.values()):
                images = torch.from_numpy(np.array(store.images[rows, source : source + 1]))
                images = images.to(machine.device)
                where = (slice(first, first + len(images)), source)
                with torch.no_grad(), machine.autocast():
                    targets = tuple(store.contrasts.values())
                    predicted = model.predict_all(images, sequence, targets)
                    estimated = model.maps(images, sequence)
                predictions[where] = predicted.float().cpu().numpy()
                if estimated is not None:
                    if maps is None:
                        maps = _new_array(folder / "maps.npy", (count, len(names), 3, *size))
                    maps[where] = estimated.float().cpu().numpy()
        for array in (predictions, maps):
            if array is not None:
                array.flush()
        index = [
            (store.patient, session, row)
            for store in patients
            for row, session in enumerate(store.sessions)
        ]
        table = pd.DataFrame(index, columns=["patient", "session", "slice"])
        table.to_csv(folder / "index.csv", index=False)
        write_json(folder / "predictions.json", {"contrasts": names, "system": system})
    log.info("predicted %d slices of %d patients", count, len(patients))


def _check(patients: Listing[PatientSlices]) -> None:
    if not patients:
        raise InputError("the split has no test patient in this fold; give `test` a patient")
    first = patients[0]
    for store in patients:
        same = list(store.contrasts) == list(first.contrasts)
        if not same or store.images.shape[1:] != first.images.shape[1:]:
            raise InputError(
                f"{store.patient} and {first.patient} differ in contrasts or size of their slices; "
                "make them of one dataset."
            )


def _batches(patients: Listing[PatientSlices]) -> Iterator[tuple[int, PatientSlices, slice]]:
    first = 0
    for store in patients:
        for row in range(0, len(store), BATCH):
            yield first + row, store, slice(row, row + BATCH)
        first += len(store)


def _new_array(path: Path, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
