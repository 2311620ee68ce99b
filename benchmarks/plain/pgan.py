"""pGAN (Dar et al. 2019) in plain PyTorch: residual generator, patches, L1 and VGG16's features.

VGG16 has random weights here: its time and memory do not depend on them. The weights of the
discriminator stay in the graph of the generator's loss.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.plain.layers import (
    Batch,
    PatchDiscriminator,
    Residual,
    coming_down,
    going_up,
    images,
    last_layers,
    least_squares,
    update,
)


def vgg16_to_relu2_2() -> nn.Sequential:
    """Four convolutions of VGG16, frozen."""
    layers = [
        nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),
    ]  # fmt: skip
    return nn.Sequential(*layers).requires_grad_(False)


class PlainStep:
    """Least squares, 100 times L1 and 100 times the perceptual distance."""

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 9,
        slices: int = 3,
        batch: int = 1,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.slices, self.batch, self.size = slices, batch, size
        norm, wide = nn.InstanceNorm2d, 4 * channels
        self.generator = nn.Sequential(
            coming_down(slices, channels, norm, bias=True),
            *(Residual(wide, norm, bias=True, dropout=0.5) for _ in range(blocks)),
            going_up(wide, (2 * channels, channels), norm, bias=True),
            last_layers(channels),
        ).to(device)
        self.discriminator = PatchDiscriminator(slices + 1, channels).to(device)
        self.vgg16 = vgg16_to_relu2_2().to(device)
        self.of_generator, self.of_discriminator = (
            Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw neighbouring slices, and the middle one's target."""
        return {
            "source": images(generator, self.batch, self.slices, self.size, self.size),
            "target": images(generator, self.batch, 1, self.size, self.size),
        }

    def verdict(self, source: Tensor, image: Tensor) -> Tensor:
        """Judge an image beside its source."""
        return self.discriminator(torch.cat([source, image], dim=1))[-1]

    def generator_loss(self, source: Tensor, target: Tensor, fake: Tensor) -> Tensor:
        """Give the adversarial loss, L1 and the perceptual distance, weighted."""
        adversarial = least_squares(self.verdict(source, fake), real=True)
        perceived = self.vgg16(fake.repeat(1, 3, 1, 1))
        perceptual = F.l1_loss(perceived, self.vgg16(target.repeat(1, 3, 1, 1)))
        return adversarial + 100 * F.l1_loss(fake, target) + 100 * perceptual

    def step(self, batch: Batch) -> float:
        """Train one step and give the generator's loss."""
        source, target = 2 * batch["source"] - 1, 2 * batch["target"] - 1
        fake = self.generator(source)

        of_real = least_squares(self.verdict(source, target), real=True)
        of_fake = least_squares(self.verdict(source, fake.detach()), real=False)
        update(self.of_discriminator, (of_real + of_fake) / 2)

        loss = self.generator_loss(source, target, fake)
        update(self.of_generator, loss)
        return loss.item()
