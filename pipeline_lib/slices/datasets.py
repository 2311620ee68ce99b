"""Training samples from the slice store: random reads in an order that a number decides.

Sample `n` of a training run is a function of the seed and of `n` alone, so that a run that was
killed goes on with exactly the samples it would have seen, whatever the number of workers.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Listing
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pipeline_lib.errors import InputError
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import shift_image


@dataclass(frozen=True)
class Sample:
    """One image, the contrasts asked for, and their images where they are known.

    Attributes
    ----------
    source
        float32 [row, column], on the patient's scale.
    targets
        float32 [target, row, column], the same slice in the target contrasts; `None` of unpaired
        data.
    body
        bool [row, column].
    source_contrast, target_contrasts
        Indices into the contrasts.
    source_sequence, target_sequences
        Their sequences in this patient.
    """

    source: np.ndarray
    targets: np.ndarray | None
    body: np.ndarray
    source_contrast: int
    target_contrasts: tuple[int, ...]
    source_sequence: Sequence
    target_sequences: tuple[Sequence, ...]


@dataclass(frozen=True)
class Batch:
    """Samples in tensors.

    Attributes
    ----------
    source, body
        float32 and bool [batch, 1, row, column].
    targets
        float32 [batch, target, row, column], or `None` of unpaired data.
    source_contrast, target_contrasts
        int64 [batch] and [batch, target].
    source_sequences, target_sequences
        One sequence an image, and one an image and target.
    """

    source: Tensor
    targets: Tensor | None
    body: Tensor
    source_contrast: Tensor
    target_contrasts: Tensor
    source_sequences: tuple[Sequence, ...]
    target_sequences: tuple[tuple[Sequence, ...], ...]

    @classmethod
    def of(cls, samples: Listing[Sample]) -> "Batch":
        """Stack samples, all with a target or all without."""
        targets = [sample.targets for sample in samples if sample.targets is not None]
        return cls(
            source=torch.from_numpy(np.stack([sample.source for sample in samples])[:, None]),
            targets=torch.from_numpy(np.stack(targets)) if targets else None,
            body=torch.from_numpy(np.stack([sample.body for sample in samples])[:, None]),
            source_contrast=torch.tensor([sample.source_contrast for sample in samples]),
            target_contrasts=torch.tensor([sample.target_contrasts for sample in samples]),
            source_sequences=tuple(sample.source_sequence for sample in samples),
            target_sequences=tuple(sample.target_sequences for sample in samples),
        )

    def __len__(self) -> int:
        return len(self.source)

    def to(self, device: torch.device) -> "Batch":
        """Give the same batch on a device."""
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = value.to(device) if isinstance(value, Tensor) else value
        return Batch(**values)


class _Slices(Dataset[Sample]):
    """Slice stores opened where they are read, so that a worker gets paths and no arrays."""

    def __init__(self, folders: Listing[Path], seed: int) -> None:
        if not folders:
            raise InputError("the split leaves no patient to train on; give `train` a patient")
        self.folders = tuple(folders)
        self.seed = seed

    @cached_property
    def stores(self) -> tuple[PatientSlices, ...]:
        return tuple(PatientSlices.open(folder) for folder in self.folders)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "stores"}

    def draws(self, number: int) -> np.random.Generator:
        """Random numbers of sample `number`, apart from those that ordered the samples."""
        return np.random.default_rng([self.seed, number, 1])


class PairedSlices(_Slices):
    """One contrast of a slice, drawn for each sample, and all its contrasts as targets.

    An epoch is every slice of every patient once. The source is among the targets, so that a
    network learns to leave alone what needs no change. Half of the samples are mirrored along
    their rows, left to right in axial slices: the anatomy allows for it, and data are few.

    Parameters
    ----------
    folders
        Slice folders of the training patients.
    seed
        Of the order and of the draws.
    """

    def __init__(self, folders: Listing[Path], seed: int) -> None:
        super().__init__(folders, seed)
        self._origins = [
            (patient, row) for patient, store in enumerate(self.stores) for row in range(len(store))
        ]

    def __len__(self) -> int:
        return len(self._origins)

    def __getitem__(self, number: int) -> Sample:
        patient, row = self._origins[shuffled(number, len(self), self.seed)]
        store = self.stores[patient]
        sequences = tuple(store.contrasts.values())
        draws = self.draws(number)
        source = int(draws.integers(len(sequences)))
        columns = slice(None, None, -1 if draws.random() < 0.5 else 1)
        return Sample(
            source=store.images[row, source, :, columns],
            targets=store.images[row, :, :, columns],
            body=store.body[row, :, columns] > 0,
            source_contrast=source,
            target_contrasts=tuple(range(len(sequences))),
            source_sequence=sequences[source],
            target_sequences=sequences,
        )


class UnpairedSlices(_Slices):
    """One contrast of one slice, shifted as the table says, and another contrast to ask for.

    An epoch is every row of the table that is kept. The other contrast is drawn evenly from all
    but the sample's own.

    Parameters
    ----------
    folders
        Slice folders of the training patients.
    table
        The draws: patient, slice, contrast, shift_rows, shift_columns, kept.
    seed
        Of the order and of the draws.
    """

    def __init__(self, folders: Listing[Path], table: pd.DataFrame, seed: int) -> None:
        super().__init__(folders, seed)
        of_patient = {store.patient: index for index, store in enumerate(self.stores)}
        rows = table[(table["kept"] == 1) & table["patient"].isin(list(of_patient))]
        if rows.empty:
            raise InputError("the table of unpaired slices keeps no slice of a training patient")
        names = list(self.stores[0].contrasts)
        self._rows = np.stack(
            [
                rows["patient"].map(of_patient),
                rows["slice"],
                rows["contrast"].map({name: index for index, name in enumerate(names)}),
                rows["shift_rows"],
                rows["shift_columns"],
            ],
            axis=1,
        ).astype(np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Sample:
        index = shuffled(number, len(self), self.seed)
        patient, row, contrast, rows, columns = (int(value) for value in self._rows[index])
        store = self.stores[patient]
        sequences = tuple(store.contrasts.values())
        others = [other for other in range(len(sequences)) if other != contrast]
        other = others[self.draws(number).integers(len(others))]
        return Sample(
            source=shift_image(store.images[row, contrast], rows, columns),
            targets=None,
            body=shift_image(store.body[row], rows, columns) > 0,
            source_contrast=contrast,
            target_contrasts=(other,),
            source_sequence=sequences[contrast],
            target_sequences=(sequences[other],),
        )


def shuffled(number: int, count: int, seed: int) -> int:
    """Give the item that sample `number` reads: epoch after epoch, each in an order of its own."""
    epoch, position = divmod(number, count)
    return int(_order(seed, epoch, count)[position])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


def batches(
    dataset: PairedSlices | UnpairedSlices,
    first: int,
    last: int,
    size: int,
    workers: int,
) -> Iterator[Batch]:
    """Give the batches of the steps `first` to `last - 1`, `size` samples each."""
    loader: DataLoader[Sample] = DataLoader(
        dataset,
        batch_size=size,
        sampler=range(first * size, last * size),
        collate_fn=Batch.of,
        num_workers=workers,
    )
    return iter(loader)
