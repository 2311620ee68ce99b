"""Param-Net (Narang et al. 2022) in plain PyTorch, Param-to-Param.

TE and TR of source and target are tiled into planes of as many channels and pixels as any block
needs, and each block takes its share of them. The encoder's weights are frozen, and its pass is
part of the forward pass.
"""

from collections.abc import Sequence as Listing

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.plain.autoencoder import WIDTHS, Autoencoder
from benchmarks.plain.layers import Batch, images, update


def convolution(into: int, out: int) -> nn.Conv2d:
    """3x3, without bias."""
    return nn.Conv2d(into, out, 3, padding=1, bias=False)


class Block(nn.Module):
    """Doubles the resolution, then mixes in the encoder's features, then the parameters."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(
            into, into, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.mix = convolution(2 * into, into)
        self.tell = convolution(2 * into, into)
        self.out = convolution(into, out)

    def forward(self, x: Tensor, features: Tensor, planes: Tensor) -> Tensor:
        """Give [batch, out, 2 row, 2 column]."""
        x = self.mix(torch.cat([self.up(x), features], dim=1))
        x = F.leaky_relu(F.instance_norm(x), 0.2)
        channels, rows, columns = x.shape[1:]
        x = self.tell(torch.cat([x, planes[:, :channels, :rows, :columns]], dim=1))
        x = F.leaky_relu(F.instance_norm(x), 0.2)
        return F.leaky_relu(F.instance_norm(self.out(x)), 0.2)


class ParamNet(nn.Module):
    """The frozen encoder, a block for each of its layers, and two convolutions."""

    def __init__(self, widths: Listing[int]) -> None:
        super().__init__()
        self.autoencoder = Autoencoder(widths)
        self.blocks = nn.ModuleList()
        outs = (*reversed(widths[:-1]), widths[0] // 2)
        for into, out in zip(reversed(widths), outs, strict=True):
            self.blocks.append(Block(into, out))
        last = widths[0] // 2
        self.head = nn.Sequential(
            convolution(last, last // 2), nn.InstanceNorm2d(last // 2), nn.LeakyReLU(0.2),
            convolution(last // 2, 1),
        )  # fmt: skip
        self.autoencoder.requires_grad_(False)
        self.autoencoder.eval()

    def forward(self, image: Tensor, planes: Tensor) -> Tensor:
        """Predict [batch, 1, row, column]; planes are [batch, widest, row, column]."""
        features = self.autoencoder.encode(image)
        rows, columns = (size // 2 ** len(self.blocks) for size in image.shape[2:])
        x = planes[:, : features[-1].shape[1], :rows, :columns]
        for block, skipped in zip(self.blocks, reversed(features), strict=True):
            x = block(x, skipped, planes)
        return self.head(x)


class PlainStep:
    """Mean squared error, with the autoencoder frozen."""

    def __init__(
        self,
        widths: Listing[int] = WIDTHS,
        batch: int = 8,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.widest = max(widths)
        self.shape = (batch, 1, size, size)
        self.network = ParamNet(widths).to(device)
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = Adam(trained, lr=1e-3, betas=(0.5, 0.999))

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw images of both contrasts, and TE, TR of the source and of the target in seconds."""
        lowest = torch.tensor([0.02, 1.2, 0.02, 1.2], device=generator.device)
        span = torch.tensor([0.98, 8.8, 0.98, 8.8], device=generator.device)
        return {
            "source": images(generator, *self.shape),
            "target": images(generator, *self.shape),
            "times": lowest + span * images(generator, self.shape[0], 4),
        }

    def step(self, batch: Batch) -> float:
        """Train one step and give the loss."""
        source, target = 2 * batch["source"] - 1, 2 * batch["target"] - 1
        times = batch["times"].repeat(1, self.widest // batch["times"].shape[1])
        planes = times[:, :, None, None].repeat(1, 1, *source.shape[2:])
        loss = F.mse_loss(self.network(source, planes), target)
        update(self.optimizer, loss)
        return loss.item()
