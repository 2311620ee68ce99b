"""Training of Simko et al. 2021: without pairs, through a discriminator of contrasts.

Appendix B of the paper: first the generator learns to give back its input whatever TE and TR are
asked for, and the discriminator to tell the contrasts of real images; then generated images are
shown to the discriminator, and the generator learns through it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import NAdam, Optimizer

from pipeline_lib.models.simko import SimkoGenerator
from pipeline_lib.models.simko_discriminator import SimkoDiscriminator, valid_patches
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.datasets import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Phase

IDENTITY, REAL, ADVERSARIAL = "identity", "real_contrasts", "adversarial"


@dataclass(frozen=True)
class SimkoTrainingSettings:
    """Length of the stages and rates of the optimisers.

    Attributes
    ----------
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

    learning_rate: float
    discriminator_rate: float
    adversarial_rate: float
    identity_steps: int
    real_steps: int
    real_accuracy: float
    adversarial_steps: int


class SimkoTraining:
    """A method (see `training.method`) for the generator and its discriminator."""

    def __init__(
        self,
        model: SimkoGenerator,
        discriminator: SimkoDiscriminator,
        settings: SimkoTrainingSettings,
        machine: Machine,
    ) -> None:
        self.model = model.to(machine.device)
        self.discriminator = discriminator.to(machine.device)
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
            discriminator.parameters(), lr=settings.discriminator_rate, eps=1e-7
        )

    def networks(self) -> Mapping[str, nn.Module]:
        """Give both networks."""
        return {"model": self.model, "discriminator": self.discriminator}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give both optimisers."""
        return {"model": self.of_generator, "discriminator": self.of_discriminator}

    def step(self, phase: str, step: int, batch: Batch) -> Mapping[str, Tensor]:
        """Do one step of a phase; logs losses, and the accuracies of the paper's Figure 6."""
        wanted = [targets[0] for targets in batch.target_sequences]
        if phase == IDENTITY:
            return self._identity(batch, wanted)
        valid = valid_patches(batch.body)
        if phase == REAL:
            return self._discriminate(batch, valid, generated=None)
        with self.machine.autocast():
            generated = self.model(batch.source, wanted)
        values = self._discriminate(batch, valid, generated.detach())
        return {**values, **self._deceive(batch, valid, generated)}

    def is_reached(self, phase: str, means: Mapping[str, float]) -> bool:
        """Tell whether the discriminator knows the contrasts well enough."""
        return phase == REAL and means["d_real_accuracy"] >= self.settings.real_accuracy

    def _identity(self, batch: Batch, wanted: list[Sequence]) -> dict[str, Tensor]:
        with self.machine.autocast():
            generated = self.model(batch.source, wanted)
        loss = (generated - batch.source).abs().mean()
        _descend(self.of_generator, loss)
        return {"g_loss": loss}

    def _discriminate(
        self, batch: Batch, valid: Tensor, generated: Tensor | None
    ) -> dict[str, Tensor]:
        with self.machine.autocast():
            logits = self.discriminator(batch.source)
        loss = patch_loss(logits, batch.source_contrast, valid)
        values = {"d_real_accuracy": patch_accuracy(logits, batch.source_contrast, valid)}
        if generated is not None:
            label = torch.full_like(batch.source_contrast, self.discriminator.generated)
            with self.machine.autocast():
                logits = self.discriminator(generated)
            loss = (loss + patch_loss(logits, label, valid)) / 2
            values["d_fake_accuracy"] = patch_accuracy(logits, label, valid)
        _descend(self.of_discriminator, loss)
        return {"d_loss": loss, **values}

    def _deceive(self, batch: Batch, valid: Tensor, generated: Tensor) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)  # no gradient of weights that stay as they are
        with self.machine.autocast():
            logits = self.discriminator(generated)
        label = batch.target_contrasts[:, 0]
        loss = patch_loss(logits, label, valid)
        for group in self.of_generator.param_groups:
            group["lr"] = self.settings.adversarial_rate
        _descend(self.of_generator, loss)
        self.discriminator.requires_grad_(True)
        return {
            "gan_loss": loss,
            "gan_accuracy": patch_accuracy(logits, label, valid),
        }


def patch_loss(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error between the softmax map and the one-hot map of the label.

    Parameters
    ----------
    logits
        float32 [batch, class, y, x].
    label
        int64 [batch], the class of all patches of an image.
    valid
        bool [batch, y, x], the patches that count.

    Returns
    -------
        A scalar, the mean over classes and valid patches.
    """
    shares = logits.softmax(dim=1)
    wanted = F.one_hot(label, logits.shape[1]).to(shares.dtype)[:, :, None, None]
    error = (shares - wanted).abs().mean(dim=1)
    return (error * valid).sum() / valid.sum().clamp(min=1)


def patch_accuracy(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Share of the valid patches whose likeliest class is the label; arguments as `patch_loss`."""
    right = logits.argmax(dim=1) == label[:, None, None]
    return (right & valid).sum() / valid.sum().clamp(min=1)


def _descend(optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
