"""One training as the workflow asks for it: a model, a fold, the patients of the dataset."""

import logging
import zlib
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.provenance import commit_of
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches
from pipeline_lib.slices.images import read_images
from pipeline_lib.slices.selection import Channels
from pipeline_lib.slices.split import PARTS, read_split
from pipeline_lib.slices.store import PatientSlices, opened
from pipeline_lib.training.card import write_model
from pipeline_lib.training.checkpoint import Checkpoint, training_digest
from pipeline_lib.training.loop import Training
from pipeline_lib.training.machine import Machine, this_machine
from pipeline_lib.training.method import Method
from pipeline_lib.training.preflight import Preflight, check_memory, preflight
from pipeline_lib.training.processes import Processes, joined_processes
from pipeline_lib.training.settings import OF_THE_MACHINE, LoopSettings, settings_of
from pipeline_lib.training.validation import Validation

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
SLICE_ALONE = Channels()
SPLITS = ("train", "validation", "test")  # that a model's card names the patients of


@dataclass(frozen=True)
class Job:
    """What decides a training, and where its results go.

    Attributes
    ----------
    slices
        Slice folders of all patients of the dataset.
    split
        Table of the split; see `slices.split`.
    fold
        The fold to train.
    experiment, seed
        As in the configuration.
    model
        The configuration's section of this model: name, system, and all its settings.
    pairs
        Source and target contrasts that are evaluated; a system of one pair is trained on the
        only one.
    unseen
        Contrasts that no training sees.
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
    pairs: tuple[tuple[str, str], ...]
    unseen: tuple[str, ...]
    code: str
    checkpoints: Path
    output: Path

    @cached_property
    def folders(self) -> dict[str, list[Path]]:
        """Slice folders of each split; those of test patients are known but never opened here.

        In a leaked split the patients are the same, and `held` says which of their images count.
        """
        return folders_by_split(self.slices, self.split, self.fold)

    @cached_property
    def held(self) -> tuple[np.ndarray | None, ...]:
        """Images of each training patient to train on: bool [slice, contrast], `None` for all."""
        return read_images(self.slices, self.split, self.fold, "train").held

    @cached_property
    def run_seed(self) -> int:
        """Seed of this model and fold: adding another model to an experiment changes no draws."""
        name = zlib.crc32(f"{self.experiment}/{self.model['name']}".encode())
        return int(np.random.SeedSequence([self.seed, name, self.fold]).generate_state(1)[0])

    @cached_property
    def contrasts(self) -> dict[str, Sequence]:
        """All contrasts of the dataset, with the sequences of the first training patient.

        Raises
        ------
        InputError
            If a training or validation patient has others, or in another order.
        """
        first = PatientSlices.open(self._opened[0])
        for store in opened(self._opened):
            if list(store.contrasts) != list(first.contrasts):
                raise InputError(
                    f"{store.patient} has the contrasts {', '.join(store.contrasts)}, but "
                    f"{first.patient} has {', '.join(first.contrasts)}; leave one of them out."
                )
        return dict(first.contrasts)

    @cached_property
    def seen(self) -> tuple[str, ...]:
        """Contrasts of the training."""
        return tuple(name for name in self.contrasts if name not in self.unseen)

    @cached_property
    def tissues(self) -> tuple[str, ...]:
        """Tissues that the dataset declares, as the first training patient has them."""
        return tuple(PatientSlices.open(self._opened[0]).tissue_names.values())

    @property
    def pair(self) -> tuple[str, str]:
        """The one pair of contrasts that a system of one pair is trained on.

        Raises
        ------
        InputError
            If there are several, or a contrast of it is unseen.
        """
        if len(self.pairs) != 1 or set(self.pairs[0]) & set(self.unseen):
            raise InputError(
                f"{self.model['name']} transfers one pair of contrasts that it sees, not "
                f"{len(self.pairs)}; give the experiment its pairs."
            )
        return self.pairs[0]

    def indices(self, names: Listing[str]) -> tuple[int, ...]:
        """Places of contrasts in the slice stores."""
        order = list(self.contrasts)
        return tuple(order.index(name) for name in names)

    @property
    def _opened(self) -> list[Path]:
        return self.folders["train"] + self.folders["validation"]

    def run(
        self,
        build: Callable[[Machine], Method],
        dataset: PairedSlices | UnpairedSlices,
        channels: Channels = SLICE_ALONE,
        tables: Listing[Path] = (),
    ) -> None:
        """Train to the end, from a checkpoint where there is one, and write the model's folder.

        Parameters
        ----------
        build
            Builds networks and optimisers on a machine; the random numbers are seeded before.
        dataset
            Of the training patients.
        channels
            What the model is shown of a slice.
        tables
            Files beside the slices that decide what is trained on.

        Raises
        ------
        InputError
            If a step will not fit into memory, a loss is no longer finite, or another process
            trains the same.
        """
        settings = settings_of(LoopSettings, self.model)
        checkpoint = Checkpoint(self.checkpoints, self._digest(tables))
        with joined_processes() as processes:
            settings.check(processes)
            machine = this_machine(settings.precision)
            expected = self._preflight(build, dataset, settings, machine, processes)
            torch.manual_seed(self.run_seed)
            validation = Validation(
                opened(self.folders["validation"]),
                self._validated_pairs(),
                channels,
                settings.validation_slices,
            )
            training = Training(
                build(machine),
                dataset,
                validation if validation.patients else None,
                settings,
                self.run_seed,
                checkpoint,
                machine,
                processes,
            )
            weights = training.run()
            if processes.is_first:
                card = self._card(training, expected)
                write_model(self.output, weights, card, checkpoint.losses)
                log.info("kept the weights of %s", card["weights"])

    def _preflight(
        self,
        build: Callable[[Machine], Method],
        dataset: PairedSlices | UnpairedSlices,
        settings: LoopSettings,
        machine: Machine,
        processes: Processes,
    ) -> Preflight:
        share = settings.batch_size // processes.count
        batch = next(batches(dataset, 0, 1, share, workers=0))
        expected = preflight(build, batch, settings.accumulate, machine)
        if processes.is_first:
            log.info("%s on %s: %s", self.model["name"], machine, expected)
        check_memory(expected, machine, settings.accumulate)
        return expected

    def _validated_pairs(self) -> list[tuple[int, int]]:
        """Give the evaluated pairs whose contrasts the training sees, or without one all pairs."""
        seen = set(self.indices(self.seen))
        pairs = [self.indices(pair) for pair in self.pairs]
        known = [(of, to) for of, to in pairs if {of, to} <= seen and of != to]
        return known or [(of, to) for of in sorted(seen) for to in sorted(seen) if of != to]

    def _card(self, training: Training, expected: Preflight) -> dict[str, Any]:
        progress, dataset = training.progress, training.dataset
        return {
            "name": self.model["name"],
            "system": self.model["system"],
            "variant": self.model["system"].partition("_")[2],
            "settings": {
                name: value for name, value in self.model.items() if name not in ("name", "system")
            },
            "contrasts": {name: seq.to_mapping() for name, seq in self.contrasts.items()},
            "pairs": [list(pair) for pair in self.pairs],
            "one_pair": isinstance(dataset, PairedSlices) and dataset.selection.is_one_pair,
            "unseen": list(self.unseen),
            "tissues": list(self.tissues),
            "experiment": self.experiment,
            "fold": self.fold,
            "seed": self.seed,
            "patients": {name: [path.name for path in self.folders[name]] for name in SPLITS},
            "data": training.checkpoint.digest,
            "code": self.code,
            "commit": commit_of(ROOT),
            "torch": torch.__version__,
            "machine": str(training.machine),
            "processes": training.processes.count,
            "parameters": dict(expected.parameters),
            "gflop_per_step": round(expected.flops * training.processes.count / 1e9, 3),
            "steps": progress.step,
            "epoch_samples": len(dataset),
            "seconds": round(progress.seconds, 1),
            "peak_gib": round(training.machine.peak_bytes() / 2**30, 3),
            "weights": (
                "last step, as no patient is for validation"
                if progress.best_step is None
                else f"step {progress.best_step}, the best by validation"
            ),
            "metrics": {"validation_mse": progress.best_error},
        }

    def _digest(self, tables: Listing[Path]) -> str:
        settings = {
            "model": [each for each in self.model.items() if each[0] not in OF_THE_MACHINE],
            "pairs": self.pairs,
            "unseen": self.unseen,
            "run_seed": self.run_seed,
            "code": self.code,
            "patients": {
                name: [path.name for path in self.folders[name]] for name in ("train", "validation")
            },
            "held": [None if held is None else held.tolist() for held in self.held],
        }
        names = ("images.npy", "body.npy", "tissues.npy", "slices.json")
        files = (path / name for path in self._opened for name in names)
        return training_digest(settings, chain(files, tables))


def folders_by_split(slices: Listing[Path], split: Path, fold: int) -> dict[str, list[Path]]:
    """Sort slice folders, which are named by their patients, into the splits of a fold.

    Raises
    ------
    InputError
        If the table lacks the fold, or a patient has no slices.
    """
    parts = read_split(split, fold)
    of_patient = {path.name: path for path in slices}
    missing = [name for part in PARTS for name in parts[part] if name not in of_patient]
    if missing:
        raise InputError(f"{split} names {missing[0]}, of which there are no slices")
    return {part: [of_patient[patient] for patient in parts[part]] for part in PARTS}
