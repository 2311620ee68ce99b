"""The measure by which the best weights of a training are chosen."""

from collections.abc import Sequence as Listing

import numpy as np
import torch

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.machine import Machine


@torch.no_grad()
def validation_error(
    model: TransferModel, patients: Listing[PatientSlices], slices: int, machine: Machine
) -> float:
    """Mean squared error within the body over all pairs of two different contrasts.

    Parameters
    ----------
    model
        Left in the mode, training or not, in which it was.
    patients
        The validation patients, at least one.
    slices
        Slices of each patient, evenly spaced, at most.
    machine
        Where the model is.

    Returns
    -------
        In squared units of the patient's scale, the mean over pairs and then over patients, as
        each patient counts once.
    """
    was_training = model.training
    model.eval()
    error = float(np.mean([_patient_error(model, store, slices, machine) for store in patients]))
    model.train(was_training)
    return error


def _patient_error(
    model: TransferModel, store: PatientSlices, slices: int, machine: Machine
) -> float:
    rows = np.unique(np.linspace(0, len(store) - 1, min(slices, len(store))).round().astype(int))
    sequences = list(store.contrasts.values())
    images = torch.from_numpy(store.images[rows]).to(machine.device)
    body = torch.from_numpy(store.body[rows] > 0).to(machine.device)
    errors = []
    for source, sequence in enumerate(sequences):
        others = [target for target in range(len(sequences)) if target != source]
        with machine.autocast():
            predicted = model.predict_all(
                images[:, source : source + 1], sequence, [sequences[other] for other in others]
            )
        squared = (predicted - images[:, others]) ** 2
        errors += [squared[:, index][body].mean().item() for index in range(len(others))]
    return float(np.mean(errors))
