"""One training as the workflow asks for it: a model, a fold, the patients of the dataset."""

import logging
import zlib
from collections.abc import Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.card import write_model
from pipeline_lib.training.checkpoint import Checkpoint, training_digest
from pipeline_lib.training.loop import LoopSettings, Training
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Method
from pipeline_lib.training.settings import settings_of

log = logging.getLogger(__name__)

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Job:
    """What decides a training, and where its results go.

    Attributes
    ----------
    slices
        Slice folders of all patients of the dataset.
    split
        Table of patients: fold, patient, split.
    fold
        The fold to train.
    experiment, seed
        As in the configuration.
    model
        The configuration's section of this model: name, system, and all its settings.
    code
        Digest of the code that trains.
    checkpoints, output
        Folders.
    """

    slices: tuple[Path, ...]
    split: Path
    fold: int
    experiment: str
    seed: int
    model: Mapping[str, Any]
    code: str
    checkpoints: Path
    output: Path

    @cached_property
    def folders(self) -> dict[str, list[Path]]:
        """Slice folders of each split; those of test patients are known but never opened here."""
        return folders_by_split(self.slices, self.split, self.fold)

    @cached_property
    def run_seed(self) -> int:
        """Seed of this model and fold: adding another model to an experiment changes no draws."""
        name = zlib.crc32(f"{self.experiment}/{self.model['name']}".encode())
        return int(np.random.SeedSequence([self.seed, name, self.fold]).generate_state(1)[0])

    @cached_property
    def contrasts(self) -> dict[str, Sequence]:
        """Contrasts of the training patients, with the sequences of the first.

        Raises
        ------
        InputError
            If a training or validation patient has others, or in another order.
        """
        stores = [PatientSlices.open(path) for path in self._seen]
        first = stores[0]
        for store in stores:
            if list(store.contrasts) != list(first.contrasts):
                raise InputError(
                    f"{store.patient} has the contrasts {', '.join(store.contrasts)}, but "
                    f"{first.patient} has {', '.join(first.contrasts)}; leave one of them out."
                )
        return dict(first.contrasts)

    @property
    def _seen(self) -> list[Path]:
        return self.folders["train"] + self.folders["validation"]

    def run(
        self,
        method: Method,
        dataset: PairedSlices | UnpairedSlices,
        machine: Machine,
        tables: Listing[Path] = (),
    ) -> None:
        """Train to the end, from a checkpoint where there is one, and write the model's folder.

        Parameters
        ----------
        method
            Freshly built after `torch.manual_seed(run_seed)`.
        dataset
            Of the training patients.
        machine
            Device and precision.
        tables
            Files beside the slices that decide what is trained on.
        """
        checkpoint = Checkpoint(self.checkpoints, self._digest(tables))
        log.info("%s of %s on %s", self.model["name"], _described(method), machine)
        training = Training(
            method,
            dataset,
            [PatientSlices.open(path) for path in self.folders["validation"]],
            settings_of(LoopSettings, self.model),
            self.run_seed,
            checkpoint,
            machine,
        )
        weights = training.run()
        progress = training.progress
        card = {
            "name": self.model["name"],
            "system": self.model["system"],
            "settings": {
                name: value for name, value in self.model.items() if name not in ("name", "system")
            },
            "contrasts": {name: seq.to_mapping() for name, seq in self.contrasts.items()},
            "experiment": self.experiment,
            "fold": self.fold,
            "seed": self.seed,
            "patients": {name: [path.name for path in self.folders[name]] for name in SPLITS},
            "code": self.code,
            "torch": torch.__version__,
            "machine": str(machine),
            "parameters": _parameters(method),
            "steps": progress.step,
            "seconds": round(progress.seconds, 1),
            "weights": (
                "last step, as no patient is for validation"
                if progress.best_step is None
                else f"step {progress.best_step}, the best by validation"
            ),
            "metrics": {"validation_mse": progress.best_error},
        }
        write_model(self.output, weights, card, checkpoint.losses)
        log.info("kept the weights of %s", card["weights"])

    def _digest(self, tables: Listing[Path]) -> str:
        settings = {
            "model": dict(self.model),
            "run_seed": self.run_seed,
            "code": self.code,
            "patients": {
                name: [path.name for path in self.folders[name]] for name in ("train", "validation")
            },
        }
        names = ("images.npy", "body.npy", "slices.json")
        files = [path / name for path in self._seen for name in names]
        return training_digest(settings, [*files, *tables])


def folders_by_split(slices: Listing[Path], split: Path, fold: int) -> dict[str, list[Path]]:
    """Sort slice folders, which are named by their patients, into the splits of a fold.

    Raises
    ------
    InputError
        If the table lacks the fold, or a patient has no slices.
    """
    table = pd.read_csv(split, dtype={"patient": str})
    table = table[table["fold"] == fold]
    if table.empty:
        raise InputError(f"{split} has no fold {fold}")
    of_patient = {path.name: path for path in slices}
    missing = [patient for patient in table["patient"] if patient not in of_patient]
    if missing:
        raise InputError(f"{split} names {missing[0]}, of which there are no slices")
    return {
        name: [of_patient[patient] for patient in table.loc[table["split"] == name, "patient"]]
        for name in SPLITS
    }


def _parameters(method: Method) -> dict[str, int]:
    return {
        name: sum(weight.numel() for weight in network.parameters())
        for name, network in method.networks().items()
    }


def _described(method: Method) -> str:
    sizes = [f"{count / 1e6:.2f} M in {name}" for name, count in _parameters(method).items()]
    steps = sum(phase.steps for phase in method.phases)
    return f"{', '.join(sizes)}; {steps} steps"
