"""Training of pGAN, ResViT and PTNet: a target image, and a discriminator of pairs of images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from pipeline_lib.errors import check_choice
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import to_signed
from pipeline_lib.models.patch_discriminator import (
    MultiScaleDiscriminator,
    paired,
    squared_verdict,
)
from pipeline_lib.models.perceptual import EdgeDistance, VggDistance, read_vgg16
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Losses, Method, PassOnce, Phase, Update, frozen
from pipeline_lib.training.schedules import held_then_falling

Reconstruction = Literal["l1", "l2"]
BETA2 = 0.999


@dataclass(frozen=True)
class ConditionalGanSettings:
    """Length, rates and weights of the losses, on images between -1 and 1.

    Attributes
    ----------
    steps, falling_steps
        Number of steps, in the last of which the rate falls to 0; 50 + 50 epochs in pGAN.
    learning_rate, beta1
        Of Adam, both networks': 2e-4, and 0.5 (pGAN, ResViT) or 0.9 (PTNet).
    reconstruction, reconstruction_weight
        `l1` (pGAN, ResViT) or `l2` (PTNet) times 100.
    perceptual_weight, perceptual_weights
        Weight of the perceptual distance, 100 in pGAN, and a file of VGG16's weights; empty: of
        edges (see `models.perceptual`).
    feature_weight
        Of the distance of the discriminator's features, 10 in PTNet, 0 in the others.
    discriminator_channels, discriminator_scales
        Of the discriminator: 64, and 1 resolution (pGAN, ResViT) or 2 (PTNet).
    generator_first
        Which network is updated first in a step: the discriminator (pGAN, ResViT), or the
        generator, on the discriminator of the step before (PTNet).
    """

    steps: int
    falling_steps: int
    learning_rate: float
    beta1: float
    reconstruction: Reconstruction
    reconstruction_weight: float
    perceptual_weight: float
    perceptual_weights: str
    feature_weight: float
    discriminator_channels: int
    discriminator_scales: int
    generator_first: bool

    def __post_init__(self) -> None:
        check_choice("reconstruction", self.reconstruction, get_args(Reconstruction))


def perceptual_of(settings: ConditionalGanSettings) -> Callable[[], nn.Module | None]:
    """Give what builds the perceptual distance that the settings ask for; the file is read here.

    Raises
    ------
    InputError
        If `perceptual_weights` names no file of VGG16's weights.
    """
    if not settings.perceptual_weight:
        return lambda: None
    if not settings.perceptual_weights:
        return EdgeDistance
    vgg16 = read_vgg16(settings.perceptual_weights)
    return lambda: VggDistance(vgg16)


class ConditionalGan(Method):
    """A method (see `training.method`) for a generator of one pair of contrasts.

    Least-squares adversarial losses. In each step both networks are updated, with the same
    generated images.

    Parameters
    ----------
    model
        The generator.
    perceptual
        Compares generated and target images; `None` if its weight is 0.
    settings, machine
        See there.
    """

    def __init__(
        self,
        model: TransferModel,
        perceptual: nn.Module | None,
        settings: ConditionalGanSettings,
        machine: Machine,
    ) -> None:
        self.model = machine.place(model)
        self.perceptual = machine.place(perceptual) if perceptual is not None else None
        channels = 2 + 2 * model.neighbours
        scales = settings.discriminator_scales
        self.discriminator = machine.place(
            MultiScaleDiscriminator(
                channels, settings.discriminator_channels, scales, padding=1 if scales == 1 else 2
            )
        )
        self.settings = settings
        self.machine = machine
        betas, rate = (settings.beta1, BETA2), settings.learning_rate
        self.of_generator = Adam(model.parameters(), lr=rate, betas=betas, fused=True)
        self.of_discriminator = Adam(
            self.discriminator.parameters(), lr=rate, betas=betas, fused=True
        )
        self._generated = PassOnce(self._generate)
        self._waiting: list[Tensor] = []  # generated before the generator was updated
        self._of_target = PassOnce(lambda batch: self._judged(batch, _target(batch)))
        self.phases = (Phase("adversarial", settings.steps, selects=True),)

    def networks(self) -> Mapping[str, nn.Module]:
        """Give both networks."""
        return {"model": self.model, "discriminator": self.discriminator}

    def optimizers(self) -> Mapping[str, Optimizer]:
        """Give both optimisers."""
        return {"model": self.of_generator, "discriminator": self.of_discriminator}

    def updates(self, phase: str, step: int) -> list[Update]:
        """Give both updates; they log each term of the losses before its weight."""
        settings = self.settings
        rate = held_then_falling(
            step, settings.steps, settings.learning_rate, settings.falling_steps
        )
        return self.updates_at(rate)

    def updates_at(self, rate: float) -> list[Update]:
        """Give the updates of both networks at a rate."""
        self._waiting.clear()
        updates = [
            Update(self.of_discriminator, self._discriminate, rate),
            Update(self.of_generator, self._deceive, rate),
        ]
        return updates[::-1] if self.settings.generator_first else updates

    @property
    def _matches(self) -> bool:
        """Whether the generator is to match the discriminator's features of the target."""
        return self.settings.feature_weight > 0

    def _generate(self, batch: Batch) -> Tensor:
        with self.machine.autocast():
            return to_signed(self.model(batch.source))

    def _judged(self, batch: Batch, image: Tensor) -> list[list[Tensor]]:
        with self.machine.autocast():
            return self.discriminator(paired(to_signed(batch.source), image))

    def _discriminate(self, batch: Batch) -> Losses:
        generator_first = self.settings.generator_first
        if generator_first:
            generated = self._waiting.pop(0)
        else:
            generated = self._generated.of(batch, last_use=False).detach()
        fake = _verdict(self._judged(batch, generated), real=False)
        real = _verdict(self._of_target.of(batch, generator_first or not self._matches), real=True)
        return (fake + real) / 2, {"d_fake": fake, "d_real": real}

    def _deceive(self, batch: Batch) -> Losses:
        settings = self.settings
        generated, target = self._generated.of(batch, last_use=True), _target(batch)
        if settings.generator_first:
            self._waiting.append(generated.detach())
        with frozen(self.discriminator):
            judged = self._judged(batch, generated)
        error = generated - target
        distance = error.abs().mean() if settings.reconstruction == "l1" else (error**2).mean()
        terms = {"g_adversarial": _verdict(judged, real=True), settings.reconstruction: distance}
        loss = terms["g_adversarial"] + settings.reconstruction_weight * distance
        if self.perceptual is not None:
            with self.machine.autocast():
                terms["perceptual"] = self.perceptual(generated, target)
            loss = loss + settings.perceptual_weight * terms["perceptual"]
        if self._matches:
            of_target = self._of_target.of(batch, not settings.generator_first)
            terms["features"] = feature_distance(judged, of_target)
            loss = loss + settings.feature_weight * terms["features"]
        return loss, terms


def feature_distance(judged: list[list[Tensor]], of_target: list[list[Tensor]]) -> Tensor:
    """Mean absolute differences of the features of all layers but the last, the mean over scales.

    The feature matching of pix2pixHD (Wang et al. 2018, Eq. 4), summed over layers as PTNet does.
    """
    sums = [
        torch.stack(
            [
                (here.float() - there.detach().float()).abs().mean()
                for here, there in zip(scale[:-1], target[:-1], strict=True)
            ]
        ).sum()
        for scale, target in zip(judged, of_target, strict=True)
    ]
    return torch.stack(sums).mean()


def _verdict(judged: list[list[Tensor]], real: bool) -> Tensor:
    return torch.stack([squared_verdict(scale[-1], real) for scale in judged]).sum()


def _target(batch: Batch) -> Tensor:
    assert batch.targets is not None  # paired data always have it
    return to_signed(batch.targets[:, :1])
