"""Paired regression: the source image and both sequences in, the target image out."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Literal, get_args

from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from pipeline_lib.errors import InputError
from pipeline_lib.models.unet import UNet
from pipeline_lib.slices.datasets import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Phase

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
    """

    steps: int
    learning_rate: float
    warm_up: float
    weight_decay: float
    loss: Loss
    background: float

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise InputError(f"loss is {' or '.join(get_args(Loss))}, not {self.loss!r}")


class Regression:
    """A method (see `training.method`) for a network that is shown what it shall predict."""

    def __init__(self, model: UNet, settings: RegressionSettings, machine: Machine) -> None:
        self.model = model.to(machine.device)
        self.settings = settings
        self.machine = machine
        self.phases = (Phase("regression", settings.steps, selects=True),)
        self.optimizer = AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Give the network."""
        return {"model": self.model}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give its optimiser."""
        return {"model": self.optimizer}

    def step(self, phase: str, step: int, batch: Batch) -> Mapping[str, Tensor]:
        """Descend once; logs the loss."""
        assert batch.targets is not None  # paired data always have it
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        with self.machine.autocast():
            predicted = self.model(batch.source, batch.source_sequences, batch.target_sequences)
        loss = masked_loss(
            predicted, batch.targets, batch.body, self.settings.loss, self.settings.background
        )
        loss.backward()
        self.optimizer.step()
        return {"loss": loss}

    def is_reached(self, phase: str, means: Mapping[str, float]) -> bool:
        """All steps are done."""
        return False


def learning_rate(step: int, settings: RegressionSettings) -> float:
    """Give the rate of a step: a straight rise, then half a cosine down to 0."""
    warm_up = settings.warm_up * settings.steps
    if step < warm_up:
        return settings.learning_rate * (step + 1) / warm_up
    share = (step - warm_up) / max(settings.steps - warm_up, 1)
    return settings.learning_rate * (1 + cos(pi * share)) / 2


def masked_loss(
    predicted: Tensor, target: Tensor, body: Tensor, kind: Loss, background: float
) -> Tensor:
    """Mean absolute or squared error within the body, and that outside times `background`.

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
    body = body.expand_as(error)
    inside = (error * body).sum() / body.sum().clamp(min=1)
    outside = (error * ~body).sum() / (~body).sum().clamp(min=1)
    return inside + background * outside
