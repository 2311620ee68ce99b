"""Simko et al. 2021 in plain PyTorch: the adversarial step, without pairs.

The generator's image is made once and judged twice, as in the usual examples of adversarial
training: detached for the discriminator, and again for the generator. The discriminator's weights
stay in the graph of the generator's loss.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import NAdam

from benchmarks.plain.layers import Batch, images, update

# Of the five contrasts, in seconds.
TE = (0.075, 0.12, 0.008, 0.008, 0.008)
TR = (4.5, 4.5, 0.4, 0.75, 4.5)
GENERATED = len(TE)
FIELD = 191


def pair(into: int, middle: int, out: int, normalised: bool = True) -> nn.Sequential:
    """Two 3x3 convolutions with repeated borders, each with ReLU, and batch normalisation."""
    layers = [
        nn.Conv2d(into, middle, 3, padding=1, padding_mode="replicate"), nn.ReLU(),
        nn.Conv2d(middle, out, 3, padding=1, padding_mode="replicate"), nn.ReLU(),
    ]  # fmt: skip
    if normalised:
        layers.append(nn.BatchNorm2d(out, eps=1e-3, momentum=0.01))
    return nn.Sequential(*layers)


class Generator(nn.Module):
    """A U-Net of six resolutions to PD, T1 and T2, and Eq. 1 of the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * factor for factor in (1, 2, 4, 8, 16, 16)]
        self.down = nn.ModuleList([pair(1, 4, channels)])
        for into, out in pairwise(widths):
            self.down.append(pair(into, out, out))
        self.up = nn.ModuleList()
        for out, into in pairwise(widths[1:]):
            self.up.append(pair(into + out, out, out))
        self.last = pair(widths[1] + widths[0] + 1, channels, channels, normalised=False)
        self.head = nn.Conv2d(channels, 3, 1)
        self.head.bias = nn.Parameter(torch.tensor([0.5, 1.0, 0.1]))

    def forward(self, image: Tensor, te: Tensor, tr: Tensor) -> Tensor:
        """Predict [batch, 1, row, column] at TE and TR, [batch] each."""
        x, kept = self.down[0](image), []
        for block in self.down[1:]:
            kept.append(x)
            x = block(F.max_pool2d(x, 2))
        for block in reversed(self.up):
            x = block(torch.cat([self.doubled(x), kept.pop()], dim=1))
        x = self.last(torch.cat([self.doubled(x), kept.pop(), image], dim=1))
        pd, t1, t2 = F.relu(self.head(x)).split(1, dim=1)
        pd, t1, t2 = pd.clamp(0, 1), t1.clamp(0.001, 10), t2.clamp(0.001, 5)
        te, tr = te.view(-1, 1, 1, 1), tr.view(-1, 1, 1, 1)
        return pd * (1 - torch.exp(-tr / t1)) * torch.exp(-te / t2)

    @staticmethod
    def doubled(x: Tensor) -> Tensor:
        """Interpolate to twice the resolution."""
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Discriminator(nn.Module):
    """Six blocks of noise, convolution and LeakyReLU, and a convolution to 5 + 1 classes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = [channels * factor for factor in (1, 2, 4, 4, 4, 4)]
        self.blocks = nn.ModuleList()
        into = 1
        for place, out in enumerate(widths):
            stride = 2 if place < 5 else 1
            self.blocks.append(nn.Conv2d(into, out, 3, stride=stride, padding=1))
            into = out
        self.head = nn.Conv2d(into, GENERATED + 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Give the share of each class, [batch, class, row / 32, column / 32]."""
        x = image
        for block in self.blocks:
            x = F.leaky_relu(block(x + 5e-4 * torch.randn_like(x)), 0.2)
        return F.softmax(self.head(x), dim=1)


def patch_loss(shares: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute error to the one-hot map of the label, over the valid patches."""
    wanted = F.one_hot(label, GENERATED + 1).float()[:, :, None, None]
    error = (shares - wanted).abs().mean(dim=1)
    return (error * valid).sum() / valid.sum().clamp(min=1)


class PlainStep:
    """Update of the discriminator on real and generated images, then of the generator."""

    def __init__(
        self,
        channels: int = 32,
        discriminator_channels: int = 128,
        batch: int = 1,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.shape = (batch, 1, size, size)
        self.generator = Generator(channels).to(device)
        self.discriminator = Discriminator(discriminator_channels).to(device)
        self.of_generator = NAdam(self.generator.parameters(), lr=5e-4, eps=1e-7)
        self.of_discriminator = NAdam(self.discriminator.parameters(), lr=5e-4, eps=1e-7)

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw images, their contrasts, the contrasts asked for, and the body."""
        source, device = images(generator, *self.shape), generator.device
        contrast, shift = (
            torch.randint(first, 5, self.shape[:1], generator=generator, device=device)
            for first in (0, 1)
        )
        return {
            "source": source,
            "body": source > 0.1,
            "source_contrast": contrast,
            "target_contrast": (contrast + shift) % 5,
        }

    def step(self, batch: Batch) -> float:
        """Train one step and give the generator's loss."""
        source, contrast, wanted = (
            batch[name] for name in ("source", "source_contrast", "target_contrast")
        )
        seen = F.max_pool2d(batch["body"].float(), FIELD, stride=32, padding=FIELD // 2)
        valid = seen[:, 0] > 0
        te = torch.tensor(TE, device=source.device)[wanted]
        tr = torch.tensor(TR, device=source.device)[wanted]
        fake = self.generator(source, te, tr)

        of_real = patch_loss(self.discriminator(source), contrast, valid)
        generated = torch.full_like(contrast, GENERATED)
        of_fake = patch_loss(self.discriminator(fake.detach()), generated, valid)
        update(self.of_discriminator, (of_real + of_fake) / 2)

        loss = patch_loss(self.discriminator(fake), wanted, valid)
        update(self.of_generator, loss)
        return loss.item()
