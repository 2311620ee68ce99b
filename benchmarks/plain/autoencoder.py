"""The autoencoder of Narang et al. 2022 in plain PyTorch."""

from collections.abc import Sequence as Listing
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.plain.layers import Batch, images, update

WIDTHS = (64, 64, 128, 256, 512, 512, 512, 512)


class Autoencoder(nn.Module):
    """3x3 convolutions down, of which the first keeps the resolution, and transposed ones up."""

    def __init__(self, widths: Listing[int]) -> None:
        super().__init__()
        first = nn.Conv2d(1, widths[0], 3, padding=1, bias=False)
        self.down = nn.ModuleList([nn.Sequential(first, nn.LeakyReLU(0.2))])
        for into, out in pairwise(widths):
            convolution = nn.Conv2d(into, out, 3, stride=2, padding=1, bias=False)
            norm = nn.BatchNorm2d(out, momentum=0.5)
            self.down.append(nn.Sequential(convolution, norm, nn.LeakyReLU(0.2)))
        layers: list[nn.Module] = []
        into, last = widths[-1], widths[0] // 2
        for out in (*reversed(widths[1:-1]), last):
            up = nn.ConvTranspose2d(into, out, 3, stride=2, padding=1, output_padding=1, bias=False)
            layers += [up, nn.BatchNorm2d(out, momentum=0.5), nn.ReLU()]
            into = out
        layers.append(nn.Conv2d(last, last // 2, 3, padding=1, bias=False))
        layers += [nn.BatchNorm2d(last // 2, momentum=0.5), nn.ReLU()]
        self.up = nn.Sequential(*layers, nn.Conv2d(last // 2, 1, 1, bias=False), nn.Tanh())

    def encode(self, image: Tensor) -> list[Tensor]:
        """Give the features of every layer down, the finest first."""
        features = []
        for layer in self.down:
            image = layer(image)
            features.append(image)
        return features

    def forward(self, image: Tensor) -> Tensor:
        """Give back [batch, 1, row, column] between -1 and 1."""
        return self.up(self.encode(image)[-1])


class PlainStep:
    """Mean squared error of the images given back."""

    def __init__(
        self,
        widths: Listing[int] = WIDTHS,
        batch: int = 8,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.shape = (batch, 1, size, size)
        self.network = Autoencoder(widths).to(device)
        self.optimizer = Adam(self.network.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw images."""
        return {"source": images(generator, *self.shape)}

    def step(self, batch: Batch) -> float:
        """Train one step and give the loss."""
        image = 2 * batch["source"] - 1
        loss = F.mse_loss(self.network(image), image)
        update(self.optimizer, loss)
        return loss.item()
