"""Training samples from the slice store: random reads in an order that a number decides.

Sample `n` of a training run is a function of the seed and of `n` alone, so that a run that was
killed goes on with exactly the samples it would have seen, whatever the number of workers.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline_lib.errors import InputError
from pipeline_lib.slices.batch import Batch, Sample
from pipeline_lib.slices.lazily import Lazily
from pipeline_lib.slices.selection import WHOLE, Selection, augmented
from pipeline_lib.slices.shuffled import place_in_order
from pipeline_lib.slices.store import PatientSlices, opened
from pipeline_lib.slices.unpair import shift_image

# Patients whose files stay open in each process that reads: each has three, and many systems let a
# process have 1024. With more patients than that, one is opened again when its turn comes.
OPEN_PATIENTS = 128


class _Slices(Dataset[Sample]):
    """Slice stores opened where they are read, so that a worker gets paths and no images."""

    def __init__(
        self, folders: Listing[Path], seed: int, held: Listing[np.ndarray | None] | None
    ) -> None:
        if not folders:
            raise InputError("the split leaves no patient to train on; give `train` a patient")
        self.folders = tuple(folders)
        self.seed = seed
        self.held = (None,) * len(folders) if held is None else tuple(held)
        if len(self.held) != len(self.folders):
            raise ValueError(f"held of {len(self.held)} patients for {len(self.folders)} folders")

    @cached_property
    def stores(self) -> Lazily[Path, PatientSlices]:
        return opened(self.folders, OPEN_PATIENTS)

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name != "stores"}

    def draws(self, number: int) -> np.random.Generator:
        """Random numbers of sample `number`, apart from those that ordered the samples."""
        return np.random.default_rng([self.seed, number, 1])


class PairedSlices(_Slices):
    """One source contrast of a slice, drawn for each sample, and its target contrasts.

    An epoch is every slice (every patch of a grid) of every patient once, where it has a pair of
    held images (see `Selection`).

    Parameters
    ----------
    folders
        Slice folders of the training patients.
    seed
        Of the order and of the draws.
    selection
        Which contrasts, channels and parts of a slice.
    held
        Of each patient the images to train on, bool [slice, contrast], or `None` for all.

    Attributes
    ----------
    rows
        Of each patient the slices of an epoch.

    Raises
    ------
    InputError
        If no patient has a pair of held images, or a model is shown neighbours of single ones.
    """

    def __init__(
        self,
        folders: Listing[Path],
        seed: int,
        selection: Selection,
        held: Listing[np.ndarray | None] | None = None,
    ) -> None:
        super().__init__(folders, seed, held)
        self.selection = selection
        # Nothing is kept of each patch, nor of each slice if all count: there may be millions.
        rows: list[Listing[int] | np.ndarray] = []
        counts = []
        for store, images in zip(opened(folders), self.held, strict=True):
            rows.append(range(len(store)) if images is None else selection.rows(images))
            counts.append(len(rows[-1]) * len(self._places(store)))
        self.rows = tuple(rows)
        self._ends = np.cumsum(counts)
        if len(self) == 0:
            raise InputError("the split holds no pair of images to train on; raise `train`")
        if selection.channels.neighbours and any(each is not None for each in self.held):
            raise InputError(
                "a model that is shown neighbouring slices would be shown test images of a leaked "
                "split; leave it out, or set `slices` of the model to 1."
            )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _places(self, store: PatientSlices) -> list[tuple[int, int]]:
        patches = self.selection.patches
        rows, columns = store.images.shape[2:]
        return patches.grid(rows, columns) if patches else [(0, 0)]

    def __getitem__(self, number: int) -> Sample:
        item = place_in_order(number, len(self), self.seed)
        patient = int(np.searchsorted(self._ends, item, side="right"))
        store, chosen = self.stores[patient], self.selection
        places = self._places(store)
        rows, held = self.rows[patient], self.held[patient]
        index, place = divmod(
            item - int(self._ends[patient]) + len(rows) * len(places), len(places)
        )
        row, first = int(rows[index]), places[place]
        sequences = tuple(store.contrasts.values())
        draws = self.draws(number)
        here = np.ones(len(sequences), bool) if held is None else held[row]
        source, wanted = chosen.drawn(here, draws)
        shape = (store.images.shape[2], store.images.shape[3])
        window = chosen.patches.window(first, shape, draws) if chosen.patches else WHOLE
        shown = chosen.channels.read(store, row, source, window)
        targets = store.images[row, list(wanted)][:, *window]
        stack = np.concatenate([shown, targets, store.body[row][window][None]])
        stack = augmented(stack, chosen.augmentation, draws)
        shown, targets, body = np.split(stack, [len(shown), len(shown) + len(targets)])
        return Sample(
            source=np.ascontiguousarray(shown),
            targets=np.ascontiguousarray(targets),
            body=body[0] > 0,
            source_contrast=source,
            target_contrasts=wanted,
            source_sequence=sequences[source],
            target_sequences=tuple(sequences[target] for target in wanted),
        )


# All that is kept of an image: 14 bytes.
_DRAW = np.dtype(
    [
        ("patient", "i4"),
        ("slice", "i4"),
        ("contrast", "i2"),
        ("shift_rows", "i2"),
        ("shift_columns", "i2"),
    ]
)


class UnpairedSlices(_Slices):
    """One contrast of one slice, shifted as the table says, and another contrast to ask for.

    An epoch is every row of the table that is kept and whose image is held. The other contrast is
    drawn evenly from all contrasts of the training but the sample's own.

    Parameters
    ----------
    folders
        Slice folders of the training patients.
    table
        The draws, in pieces: patient, slice, contrast, shift_rows, shift_columns, kept.
    seed
        Of the order and of the draws.
    contrasts
        Names of the contrasts of the training.
    held
        As of `PairedSlices`.
    """

    def __init__(
        self,
        folders: Listing[Path],
        table: Iterable[pd.DataFrame],
        seed: int,
        contrasts: Listing[str],
        held: Listing[np.ndarray | None] | None = None,
    ) -> None:
        super().__init__(folders, seed, held)
        of_patient = {store.patient: index for index, store in enumerate(opened(folders))}
        places = {name: index for index, name in enumerate(self.stores[0].contrasts)}
        self._contrasts = [places[name] for name in contrasts]
        pieces = [np.empty(0, _DRAW)]
        for piece in table:
            rows = piece[
                (piece["kept"] == 1)
                & piece["patient"].isin(list(of_patient))
                & piece["contrast"].isin(list(contrasts))
            ]
            numbers = np.empty(len(rows), _DRAW)
            numbers["patient"] = rows["patient"].map(of_patient)
            numbers["contrast"] = rows["contrast"].map(places)
            for name in ("slice", "shift_rows", "shift_columns"):
                numbers[name] = rows[name]
            if any(images is not None for images in self.held):
                numbers = numbers[[self._is_held(row) for row in numbers]]
            pieces.append(numbers)
        self._rows = np.concatenate(pieces)
        if len(self) == 0:
            raise InputError("the table of unpaired slices keeps no slice of a training patient")

    def _is_held(self, draw: np.void) -> bool:
        held = self.held[draw["patient"]]
        return held is None or bool(held[draw["slice"], draw["contrast"]])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Sample:
        index = place_in_order(number, len(self), self.seed)
        patient, row, contrast, rows, columns = (int(value) for value in self._rows[index])
        store = self.stores[patient]
        sequences = tuple(store.contrasts.values())
        others = [other for other in self._contrasts if other != contrast]
        other = others[self.draws(number).integers(len(others))]
        return Sample(
            source=shift_image(store.images[row, contrast], rows, columns)[None],
            targets=None,
            body=shift_image(store.body[row], rows, columns) > 0,
            source_contrast=contrast,
            target_contrasts=(other,),
            source_sequence=sequences[contrast],
            target_sequences=(sequences[other],),
        )


@dataclass(frozen=True)
class _Steps:
    """Sample numbers of each step: `size` of them, of which each process takes its share."""

    first: int
    last: int
    size: int
    process: int
    processes: int

    def __iter__(self) -> Iterator[list[int]]:
        share = self.size // self.processes
        for step in range(self.first, self.last):
            start = step * self.size + self.process * share
            yield list(range(start, start + share))

    def __len__(self) -> int:
        return self.last - self.first


def batches(
    dataset: PairedSlices | UnpairedSlices,
    first: int,
    last: int,
    size: int,
    workers: int,
    process: int = 0,
    processes: int = 1,
) -> Iterator[Batch]:
    """Give the batches of the steps `first` to `last - 1`, `size` samples each.

    Of several processes, each gets its share of the samples of every step; together they are
    those of one process alone.
    """
    loader: DataLoader[Sample] = DataLoader(
        dataset,
        batch_sampler=_Steps(first, last, size, process, processes),
        collate_fn=Batch.of,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)
