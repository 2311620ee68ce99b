"""What a system's training has to offer to the loop."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as Listing
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.slices.batch import Batch

Passed = TypeVar("Passed")
Losses = tuple[Tensor, Mapping[str, Tensor]]
"""The loss to descend, and what is to be logged of it, by name."""


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


@dataclass(frozen=True)
class Update:
    """What one optimiser does in a step.

    Attributes
    ----------
    optimizer
        Updates the weights.
    losses
        Gives the losses of a batch; the loop descends their mean over the batch's parts.
    rate
        Learning rate of this step.
    """

    optimizer: Optimizer
    losses: Callable[[Batch], Losses]
    rate: float


class Method(ABC):
    """A system's networks, optimisers and losses.

    Losses may draw from PyTorch's global random numbers: the loop seeds them anew before each
    step.

    Attributes
    ----------
    model
        The model that is trained.
    phases
        In their order.
    """

    model: TransferModel
    phases: tuple[Phase, ...]

    @abstractmethod
    def networks(self) -> Mapping[str, nn.Module]:
        """Give every network with weights, by name; the model itself is `model`."""

    @abstractmethod
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give every optimiser, by name."""

    @abstractmethod
    def updates(self, phase: str, step: int) -> Listing[Update]:
        """Give the updates of step `step` of a phase, counted from 0, in their order."""

    def is_reached(self, phase: str, means: Mapping[str, float]) -> bool:
        """Tell whether a phase has what it was for, by the means since the last line of log."""
        return False


class Descent(Method):
    """A method of one network, one loss and one phase.

    Parameters
    ----------
    model
        On the machine.
    optimizer
        Of its weights.
    steps
        Number of steps.
    """

    def __init__(self, model: TransferModel, optimizer: Optimizer, steps: int) -> None:
        self.model = model
        self.optimizer = optimizer
        self.phases = (Phase("descent", steps, selects=True),)

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """Give the loss of a batch."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """Give the learning rate of a step."""

    def networks(self) -> Mapping[str, nn.Module]:
        """Give the network."""
        return {"model": self.model}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give its optimiser."""
        return {"model": self.optimizer}

    def updates(self, phase: str, step: int) -> list[Update]:
        """Give the one update."""
        return [Update(self.optimizer, self.losses, self.rate(step))]


class PassOnce(Generic[Passed]):
    """Keeps the last result of a function of a batch, so that two updates share one pass.

    It is made anew where a batch is not the last one asked for: with a batch in several parts
    their results would be too large to keep.
    """

    def __init__(self, function: Callable[[Batch], Passed]) -> None:
        self.function = function
        self._last: tuple[Batch, Passed] | None = None

    def of(self, batch: Batch, last_use: bool) -> Passed:
        """Give the function's value; after the last use nothing is kept."""
        if self._last is None or self._last[0] is not batch:
            self._last = batch, self.function(batch)
        value = self._last[1]
        if last_use:
            self._last = None
        return value


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Pass through a network without gradients of its own weights."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)
