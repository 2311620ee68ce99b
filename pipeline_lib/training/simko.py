"""Training of Simko et al. 2021: without pairs, through a discriminator of contrasts.

Appendix B of the paper: first the generator learns to give back its input whatever TE and TR are
asked for, and the discriminator to tell the contrasts of real images; then generated images are
shown to the discriminator, and the generator learns through it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import NAdam, Optimizer

from pipeline_lib.errors import check_choice
from pipeline_lib.models.simko import SimkoGenerator
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Losses, Method, PassOnce, Phase, Update, frozen
from pipeline_lib.training.simko_judges import Judge

Discriminator = Literal["classes", "regressing"]
IDENTITY, REAL, ADVERSARIAL = "identity", "real_contrasts", "adversarial"


@dataclass(frozen=True)
class SimkoTrainingSettings:
    """Length of the stages and rates of the optimisers.

    Attributes
    ----------
    discriminator
        Of `classes` as in the paper, or `regressing` TE and TR as in the authors' later code.
    learning_rate, discriminator_rate, adversarial_rate
        Rates of Nadam: the generator's in its pre-training, the discriminator's, and the
        generator's in the second stage. All are 5e-4 in the paper; the authors' later code has
        5e-4, 1e-5 and 1e-5.
    identity_steps
        Pre-training of the generator.
    real_steps
        Pre-training of the discriminator, at most.
    real_accuracy
        Share of patches of real images that the discriminator has to tell right before the next
        stage begins, 0.8 in the paper.
    adversarial_steps
        Steps of the second stage, in each of which both networks are updated.
    """

    discriminator: Discriminator
    learning_rate: float
    discriminator_rate: float
    adversarial_rate: float
    identity_steps: int
    real_steps: int
    real_accuracy: float
    adversarial_steps: int

    def __post_init__(self) -> None:
        check_choice("discriminator", self.discriminator, get_args(Discriminator))


class SimkoTraining(Method):
    """A method (see `training.method`) for the generator and one of its discriminators."""

    def __init__(
        self,
        model: SimkoGenerator,
        judge: Judge,
        settings: SimkoTrainingSettings,
        machine: Machine,
    ) -> None:
        self.model = self.network = machine.place(model)
        self.judge = judge
        self.discriminator = machine.place(judge.network)
        self.settings = settings
        self.machine = machine
        self.phases = (
            Phase(IDENTITY, settings.identity_steps, selects=False),
            Phase(REAL, settings.real_steps, selects=False),
            Phase(ADVERSARIAL, settings.adversarial_steps, selects=True),
        )
        # Keras' Nadam, which the authors used, has eps 1e-7; its momentum schedule is PyTorch's.
        self.of_generator = NAdam(model.parameters(), lr=settings.learning_rate, eps=1e-7)
        self.of_discriminator = NAdam(
            self.discriminator.parameters(), lr=settings.discriminator_rate, eps=1e-7
        )
        self._generated = PassOnce(self._generate)

    def networks(self) -> Mapping[str, nn.Module]:
        """Give both networks."""
        return {"model": self.model, "discriminator": self.discriminator}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give both optimisers."""
        return {"model": self.of_generator, "discriminator": self.of_discriminator}

    def updates(self, phase: str, step: int) -> list[Update]:
        """Give the updates of a phase; they log losses, and the accuracies of Figure 6."""
        rates = self.settings
        if phase == IDENTITY:
            return [Update(self.of_generator, self._identity, rates.learning_rate)]
        if phase == REAL:
            return [Update(self.of_discriminator, self._real, rates.discriminator_rate)]
        return [
            Update(self.of_discriminator, self._discriminate, rates.discriminator_rate),
            Update(self.of_generator, self._deceive, rates.adversarial_rate),
        ]

    def is_reached(self, phase: str, means: Mapping[str, float]) -> bool:
        """Tell whether the discriminator knows the contrasts well enough."""
        return phase == REAL and means["d_real_accuracy"] >= self.settings.real_accuracy

    def _generate(self, batch: Batch) -> Tensor:
        wanted = [targets[0] for targets in batch.target_sequences]
        with self.machine.autocast():
            return self.network(batch.source, wanted)

    def _identity(self, batch: Batch) -> Losses:
        loss = (self._generated.of(batch, last_use=True) - batch.source).abs().mean()
        return loss, {"g_loss": loss}

    def _real(self, batch: Batch) -> Losses:
        with self.machine.autocast():
            loss, accuracy = self.judge.of_real(self.discriminator(batch.source), batch)
        return loss, {"d_loss": loss, "d_real_accuracy": accuracy}

    def _discriminate(self, batch: Batch) -> Losses:
        generated = self._generated.of(batch, last_use=False).detach()
        with self.machine.autocast():
            both = self.discriminator(torch.cat([batch.source, generated]))
        for_real, for_fake = both.chunk(2)
        of_real, real_accuracy = self.judge.of_real(for_real, batch)
        of_fake, fake_accuracy = self.judge.of_generated(for_fake, batch)
        loss = (of_real + of_fake) / 2
        return loss, {
            "d_loss": loss,
            "d_real_accuracy": real_accuracy,
            "d_fake_accuracy": fake_accuracy,
        }

    def _deceive(self, batch: Batch) -> Losses:
        generated = self._generated.of(batch, last_use=True)
        with self.machine.autocast(), frozen(self.discriminator):
            answers = self.discriminator(generated)
        loss, accuracy = self.judge.of_deceiving(answers, batch)
        return loss, {"gan_loss": loss, "gan_accuracy": accuracy}
