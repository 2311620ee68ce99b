"""Training of Alkan et al. 2017: the squared error of patches, Adam with a rate in steps."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.optim import Adam

from pipeline_lib.models.alkan import AlkanNetwork
from pipeline_lib.slices.batch import Batch
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Descent, Losses
from pipeline_lib.training.schedules import halved

EPSILON = 1e-9


@dataclass(frozen=True)
class AlkanTrainingSettings:
    """Length, rate and patches.

    Attributes
    ----------
    steps
        Number of steps.
    learning_rate
        First rate of Adam, 0.1 in the paper.
    halve_every
        Steps after which it is halved, 4 epochs in the paper.
    patch_size, patch_stride
        Of the patches' grid, 128 and 24 pixels in the paper.
    """

    steps: int
    learning_rate: float
    halve_every: int
    patch_size: int
    patch_stride: int


class AlkanTraining(Descent):
    """A method (see `training.method`): Equation 2 of the paper, with Equations 3a to 3c."""

    def __init__(
        self, model: AlkanNetwork, settings: AlkanTrainingSettings, machine: Machine
    ) -> None:
        self.settings = settings
        self.machine = machine
        self.network = machine.place(model)
        optimizer = Adam(
            self.network.parameters(), lr=settings.learning_rate, eps=EPSILON, fused=True
        )
        super().__init__(self.network, optimizer, settings.steps)

    def rate(self, step: int) -> float:
        """Halve the rate as the settings say."""
        return halved(step, self.settings.learning_rate, self.settings.halve_every)

    def losses(self, batch: Batch) -> Losses:
        """Give the squared error, which is logged too."""
        with self.machine.autocast():
            predicted = self.network(batch.source)
        loss = squared_error(predicted, batch)
        return loss, {"loss": loss}


def squared_error(predicted: Tensor, batch: Batch) -> Tensor:
    """Mean squared difference to the batch's one target (Equation 2)."""
    assert batch.targets is not None  # paired data always have it
    return ((predicted - batch.targets[:, :1]) ** 2).mean()


def training_mean(dataset: PairedSlices) -> float:
    """Mean intensity of all images of the training, source and target (section 3).

    The paper takes it over all training images once; patients weigh by the slices that an epoch
    has of them.
    """
    chosen = [*dataset.selection.sources, *dataset.selection.targets]
    images = [
        store.images[:, chosen] if held is None else store.images[:, chosen][rows]
        for store, held, rows in zip(dataset.stores, dataset.held, dataset.rows, strict=True)
    ]
    sums = [float(each.sum(dtype=np.float64)) for each in images]
    return sum(sums) / sum(each.size for each in images)
