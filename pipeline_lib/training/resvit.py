"""Training of ResViT (Dalmaz et al. 2022): first without its transformers, then with them."""

from dataclasses import dataclass

from torch import nn

from pipeline_lib.models.resvit import ResVitGenerator
from pipeline_lib.training.conditional_gan import ConditionalGan, ConditionalGanSettings
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Phase, Update
from pipeline_lib.training.schedules import held_then_falling

CONVOLUTIONAL, TRANSFORMING = "convolutional", "transforming"


@dataclass(frozen=True)
class ResVitTrainingSettings:
    """The first stage, of convolutions alone; the second is the settings of any conditional GAN.

    Attributes
    ----------
    convolutional_steps, convolutional_falling_steps
        Its steps, in the last of which the rate falls to 0; 50 + 50 epochs.
    convolutional_rate
        2e-4; the second stage's, after it, is 1e-3.
    transformer_weights
        Published weights of the transformer (.npz) to start the second stage from; empty: it
        starts from scratch.
    """

    convolutional_steps: int
    convolutional_falling_steps: int
    convolutional_rate: float
    transformer_weights: str


class ResVitTraining(ConditionalGan):
    """A method (see `training.method`) in two stages."""

    def __init__(
        self,
        model: ResVitGenerator,
        first: ResVitTrainingSettings,
        settings: ConditionalGanSettings,
        machine: Machine,
        perceptual: nn.Module | None = None,
    ) -> None:
        super().__init__(model, perceptual, settings, machine)
        self.first = first
        self.generator = model
        self.phases = (
            Phase(CONVOLUTIONAL, first.convolutional_steps, selects=False),
            Phase(TRANSFORMING, settings.steps, selects=True),
        )

    def updates(self, phase: str, step: int) -> list[Update]:
        """Give the updates of a stage, and put the transformers in or out of the way."""
        self.generator.transforming = phase == TRANSFORMING
        if phase == TRANSFORMING:
            return super().updates(phase, step)
        first = self.first
        return self.updates_at(
            held_then_falling(
                step,
                first.convolutional_steps,
                first.convolutional_rate,
                first.convolutional_falling_steps,
            )
        )
