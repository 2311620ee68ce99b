"""Training samples and batches of them."""

from collections.abc import Callable
from collections.abc import Sequence as Listing
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.signal.sequences import Sequence


@dataclass(frozen=True)
class Sample:
    """One image, the contrasts asked for, and their images where they are known.

    Attributes
    ----------
    source
        float32 [channel, row, column], on the patient's scale; see `slices.selection.Channels`.
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
    source
        float32 [batch, channel, row, column].
    body
        bool [batch, 1, row, column].
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
            source=torch.from_numpy(np.stack([sample.source for sample in samples])),
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
        return self.with_tensors(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> "Batch":
        """Give the same batch in memory that a GPU reads without a copy."""
        return self.with_tensors(lambda tensor: tensor.pin_memory())

    def with_tensors(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Give the same batch with every tensor changed."""
        return self._mapped(lambda value: change(value) if isinstance(value, Tensor) else value)

    def split(self, parts: int) -> list["Batch"]:
        """Split into `parts` batches of the same length, which must be possible."""
        length = len(self) // parts
        if length * parts != len(self):
            raise ValueError(f"{len(self)} samples can't be split into {parts} equal parts")
        starts = range(0, len(self), length)
        return [self._mapped(itemgetter(slice(at, at + length))) for at in starts]

    def _mapped(self, change: Callable[[Any], Any]) -> "Batch":
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = None if value is None else change(value)
        return Batch(**values)
