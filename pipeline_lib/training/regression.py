"""Paired regression: the source image and both sequences in, the target image out."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor
from torch.optim import AdamW

from pipeline_lib.errors import check_choice
from pipeline_lib.models.unet import UNet
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Descent, Losses
from pipeline_lib.training.schedules import warm_cosine

Loss = Literal["l1", "l2"]


@dataclass(frozen=True)
class RegressionSettings:
    """Loss, optimiser and length of a regression.

    Attributes
    ----------
    steps
        Number of steps.
    learning_rate
        Highest rate of AdamW.
    warm_up
        Share of the steps in which the rate rises to the highest; then it falls to 0 along a
        cosine.
    weight_decay
        Of AdamW.
    loss
        `l1` or `l2`.
    background
        Weight of the mean error outside the body beside the mean error within.
    targets
        Contrasts that are drawn for each sample; 0: all of the training.
    """

    steps: int
    learning_rate: float
    warm_up: float
    weight_decay: float
    loss: Loss
    background: float
    targets: int

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, get_args(Loss))


class Regression(Descent):
    """A method (see `training.method`) for a network that is shown what it shall predict."""

    def __init__(self, model: UNet, settings: RegressionSettings, machine: Machine) -> None:
        self.settings = settings
        self.machine = machine
        self.network = machine.place(model)
        optimizer = AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        super().__init__(self.network, optimizer, settings.steps)

    def rate(self, step: int) -> float:
        """Let the rate rise, then fall along a cosine."""
        of = self.settings
        return warm_cosine(step, of.steps, of.learning_rate, of.warm_up)

    def losses(self, batch: Batch) -> Losses:
        """Give the error within and outside the body."""
        assert batch.targets is not None  # paired data always have it
        with self.machine.autocast():
            predicted = self.network(batch.source, batch.source_sequences, batch.target_sequences)
        loss = masked_loss(
            predicted, batch.targets, batch.body, self.settings.loss, self.settings.background
        )
        return loss, {"loss": loss}


def masked_loss(
    predicted: Tensor, target: Tensor, body: Tensor, kind: Loss, background: float
) -> Tensor:
    """Mean absolute or squared error within the body, and that outside times `background`.

    Both means are an image's own, so that a batch in parts has the loss of the whole.

    Parameters
    ----------
    predicted, target
        float32 [batch, target, row, column].
    body
        bool [batch, 1, row, column].
    kind
        `l1` or `l2`.
    background
        Weight of the mean outside the body.

    Returns
    -------
        A scalar.
    """
    error = (predicted - target).abs() if kind == "l1" else (predicted - target) ** 2
    error = error.mean(dim=1, keepdim=True)

    def mean_over(mask: Tensor) -> Tensor:
        return ((error * mask).sum(dim=(1, 2, 3)) / mask.sum(dim=(1, 2, 3)).clamp(min=1)).mean()

    return mean_over(body) + background * mean_over(~body)
