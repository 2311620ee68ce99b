"""The measure by which the best weights of a training are chosen."""

from collections.abc import Sequence as Listing
from dataclasses import dataclass

import numpy as np
import torch

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.machine import Machine


@dataclass(frozen=True)
class Validation:
    """Validation patients, and what of them is looked at.

    Attributes
    ----------
    patients
        At least one.
    pairs
        Source and target contrast, as indices; pairs of a contrast with itself don't count.
    channels
        What the model is shown of a slice.
    slices
        Slices of each patient, evenly spaced, at most.
    """

    patients: Listing[PatientSlices]
    pairs: Listing[tuple[int, int]]
    channels: Channels
    slices: int

    @torch.no_grad()
    def error(self, model: TransferModel, machine: Machine) -> float:
        """Mean squared error within the body.

        Parameters
        ----------
        model
            Left in the mode, training or not, in which it was.
        machine
            Where the model is.

        Returns
        -------
            In squared units of the patient's scale, the mean over pairs and then over patients,
            as each patient counts once.
        """
        was_training = model.training
        model.eval()
        error = float(np.mean([self._of(model, store, machine) for store in self.patients]))
        model.train(was_training)
        return error

    def _of(self, model: TransferModel, store: PatientSlices, machine: Machine) -> float:
        count = min(self.slices, len(store))
        rows = np.unique(np.linspace(0, len(store) - 1, count).round().astype(int))
        sequences = list(store.contrasts.values())
        acquired = torch.from_numpy(store.images[rows]).to(machine.device)
        body = torch.from_numpy(store.body[rows] > 0).to(machine.device)
        errors = []
        for source in dict.fromkeys(source for source, _ in self.pairs):
            targets = [to for of, to in self.pairs if of == source and to != source]
            if not targets:
                continue
            images = torch.from_numpy(self.channels.read_all(store, rows, source))
            with machine.autocast():
                predicted = model.predict_all(
                    images.to(machine.device), sequences[source], [sequences[to] for to in targets]
                )
            squared = (predicted - acquired[:, targets]) ** 2
            errors += [squared[:, index][body].mean().item() for index in range(len(targets))]
        return float(np.mean(errors))
