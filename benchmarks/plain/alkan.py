"""Alkan et al. 2017 in plain PyTorch: nine convolutions from T1w and tissue masks to T2w."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import Adam

from benchmarks.plain.layers import Batch, images, update


class PlainStep:
    """Mean squared error of patches, of which the mean of the training images is subtracted."""

    def __init__(
        self,
        layers: int = 9,
        channels: int = 32,
        inputs: int = 9,
        batch: int = 32,
        size: int = 128,
        device: str = "cpu",
    ) -> None:
        self.inputs, self.batch, self.size = inputs, batch, size
        into, stack = inputs, []
        for _ in range(layers - 1):
            stack += [
                nn.Conv2d(into, channels, 3, padding=1),
                nn.BatchNorm2d(channels, eps=0.001, momentum=0.01),
                nn.ReLU(),
            ]
            into = channels
        self.network = nn.Sequential(*stack, nn.Conv2d(into, 1, 3, padding=1)).to(device)
        self.optimizer = Adam(self.network.parameters(), lr=0.1, eps=1e-9)

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw T1w with masks of -1 and +1 beside it, and T2w, both less their mean."""
        source = images(generator, self.batch, self.inputs, self.size, self.size) - 0.5
        source[:, 1:] = source[:, 1:].sign()
        return {
            "source": source,
            "target": images(generator, self.batch, 1, self.size, self.size) - 0.5,
        }

    def step(self, batch: Batch) -> float:
        """Train one step and give the loss."""
        loss = F.mse_loss(self.network(batch["source"]), batch["target"])
        update(self.optimizer, loss)
        return loss.item()
