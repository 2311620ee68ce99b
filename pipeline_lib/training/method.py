"""What a system's training has to offer to the loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.datasets import Batch


@dataclass(frozen=True)
class Phase:
    """A part of a training with a purpose of its own.

    Attributes
    ----------
    name
        As it stands in the log and in losses.csv.
    steps
        Number of steps, at most.
    selects
        Whether the best weights by validation are looked for in this phase.
    """

    name: str
    steps: int
    selects: bool


class Method(Protocol):
    """A system's networks, optimisers and losses.

    A step may draw from PyTorch's global random numbers: the loop seeds them anew before each.
    """

    @property
    def model(self) -> TransferModel:
        """Give the model that is trained."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Give the phases in their order."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Give every network with weights, by name; the model itself is `model`."""

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give every optimiser, by name."""

    def step(self, phase: str, step: int, batch: Batch) -> Mapping[str, Tensor]:
        """Do step `step` of a phase, counted from 0, and give what is to be logged of it."""

    def is_reached(self, phase: str, means: Mapping[str, float]) -> bool:
        """Tell whether a phase has what it was for, by the means since the last line of log."""
