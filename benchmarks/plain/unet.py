"""The project's own U-Net as one would first write it: a forward pass for each target contrast."""

from collections.abc import Sequence as Listing
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW

from benchmarks.plain.layers import Batch, images, update

NUMBERS = 5
WIDTHS = (64, 128, 256, 512, 1024)


class Block(nn.Module):
    """Two 3x3 convolutions, each with gains and offsets from the source's sequence."""

    def __init__(self, into: int, out: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(into, out, 3, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)
        self.modulate = nn.Linear(embedding, 4 * out)

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        """Change [batch, into, row, column] to [batch, out, row, column]."""
        films = self.modulate(embedded)[:, :, None, None].chunk(4, dim=1)
        x = F.leaky_relu(self.first(x) * (1 + films[0]) + films[1], 0.1)
        return F.leaky_relu(self.second(x) * (1 + films[2]) + films[3], 0.1)


class Network(nn.Module):
    """U-Net whose features a function of both sequences mixes into the target."""

    def __init__(self, widths: Listing[int], features: int, embedding: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(NUMBERS, embedding), nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU()
        )
        self.mix = nn.Sequential(
            nn.Linear(2 * NUMBERS, 2 * embedding), nn.SiLU(), nn.Linear(2 * embedding, features + 2)
        )
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        into = 1
        for out in widths:
            self.down.append(Block(into, out, embedding))
            into = out
        for fine, coarse in pairwise(widths):
            self.up.append(Block(coarse + fine, fine, embedding))
        self.head = nn.Conv2d(widths[0], features, 1)

    def forward(self, image: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Predict [batch, 1, row, column]; sequences are [batch, 5] numbers."""
        embedded = self.embed(source)
        x, kept = self.down[0](image, embedded), []
        for block in self.down[1:]:
            kept.append(x)
            x = block(F.max_pool2d(x, 2), embedded)
        for block in reversed(self.up):
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), kept.pop()], dim=1)
            x = block(x, embedded)
        mixed = self.mix(torch.cat([source, target], dim=1))[:, :, None, None]
        weights, gain, offset = mixed[:, :-2], mixed[:, -2:-1], mixed[:, -1:]
        change = (weights * self.head(x)).sum(dim=1, keepdim=True)
        return image * (1 + gain) + offset + change


class PlainStep:
    """Mean absolute error within the body, and a tenth of that outside, of five targets."""

    def __init__(
        self,
        widths: Listing[int] = WIDTHS,
        features: int = 32,
        embedding: int = 128,
        contrasts: int = 5,
        batch: int = 4,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.batch, self.contrasts, self.size = batch, contrasts, size
        self.network = Network(widths, features, embedding).to(device)
        self.optimizer = AdamW(self.network.parameters(), lr=3e-4, weight_decay=0.01)

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw a source, all targets, the body, and five numbers for each sequence."""
        source = images(generator, self.batch, 1, self.size, self.size)
        return {
            "source": source,
            "targets": images(generator, self.batch, self.contrasts, self.size, self.size),
            "body": source > 0.3,
            "source_sequence": 4 * images(generator, self.batch, NUMBERS) - 2,
            "target_sequences": 4 * images(generator, self.batch, self.contrasts, NUMBERS) - 2,
        }

    def step(self, batch: Batch) -> float:
        """Train one step and give the loss."""
        body = batch["body"]
        loss = torch.zeros((), device=body.device)
        for index in range(self.contrasts):
            predicted = self.network(
                batch["source"], batch["source_sequence"], batch["target_sequences"][:, index]
            )
            error = (predicted - batch["targets"][:, index : index + 1]).abs()
            inside = (error * body).sum() / body.sum()
            outside = (error * ~body).sum() / (~body).sum()
            loss = loss + (inside + 0.1 * outside) / self.contrasts
        update(self.optimizer, loss)
        return loss.item()
