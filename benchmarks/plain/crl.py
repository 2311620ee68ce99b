"""Contrast Representation Learning (Xiong et al. 2024) in plain PyTorch.

A step trains every ordered pair of seven contrasts, each by a forward pass from image to image:
42 passes, all in one graph, as the loss ties their features together.
"""

from itertools import combinations, pairwise, permutations
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.plain.layers import Batch, images, update

Form = Literal["paper", "code"]
HEADS = 8
# TR and TI in tenths of a second, TE in milliseconds: sequences 1, 2, 3, 5, 7, 8, 9 of Table 1.
SEQUENCES = (
    (24.79, 9.62, 10.55),
    (24.79, 10.42, 0.0),
    (67.77, 10.42, 0.0),
    (80.0, 10.42, 0.0),
    (81.42, 104.2, 0.0),
    (80.0, 99.98, 10.30),
    (80.0, 98.78, 20.25),
)
STRUCTURE_WEIGHT = 0.1


class Encoder(nn.Module):
    """Residual blocks of two 3x3 convolutions between two more."""

    def __init__(self, blocks: int, channels: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, channels, 3, padding=1)
        self.body = nn.ModuleList()
        for _ in range(blocks):
            first = nn.Conv2d(channels, channels, 3, padding=1)
            second = nn.Conv2d(channels, channels, 3, padding=1)
            self.body.append(nn.Sequential(first, nn.ReLU(), second))
        self.tail = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Encode [batch, 1, row, column]."""
        first = x = self.head(image)
        for block in self.body:
            x = x + 0.1 * block(x)
        return self.tail(x) + first


class CrossAttention(nn.Module):
    """Every pixel a query; one code the key and the value; softmax over the pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Add to [batch, channel, row, column] what it attends of codes [batch, channel]."""
        batch, channels, rows, columns = features.shape
        size = channels // HEADS
        query = self.query(features).reshape(batch, HEADS, size, rows * columns)
        query = query.transpose(2, 3)
        key = self.key(code).reshape(batch, HEADS, 1, size)
        value = self.value(code).reshape(batch, HEADS, 1, size)
        scores = query @ key.transpose(2, 3) / size**0.5
        attended = F.softmax(scores, dim=2) * (rows * columns) @ value
        attended = attended.transpose(2, 3).reshape(batch, channels, rows, columns)
        return features + self.out(attended)


def perceptron(into: int, width: int, out: int, hidden: int) -> nn.Sequential:
    """Hidden layers with ReLU, and one out."""
    layers: list[nn.Module] = []
    for _ in range(hidden):
        layers += [nn.Linear(into, width), nn.ReLU()]
        into = width
    return nn.Sequential(*layers, nn.Linear(width, out))


class Network(nn.Module):
    """Encoder, codes of the parameters, and a decoder of single pixels.

    The `paper` lets features attend the codes of source and target; the `code` divides them by
    the source's and multiplies them by the target's.
    """

    def __init__(self, form: Form, blocks: int, channels: int) -> None:
        super().__init__()
        self.attends = form == "paper"
        self.encoder = Encoder(blocks, channels)
        more = 0 if self.attends else 1
        self.code = perceptron(3, channels, channels, 3 + more)
        self.decoder = perceptron(channels, channels, 1, 4 + more)
        if self.attends:
            self.attend_source = CrossAttention(channels)
            self.attend_target = CrossAttention(channels)

    def forward(self, image: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Give the target image, and the features common to all contrasts.

        Parameters
        ----------
        image
            [batch, 1, row, column].
        source, target
            TR, TE and TI, [batch, 3].
        """
        source, target = self.code(source), self.code(target)
        features = self.encoder(image)
        if self.attends:
            common = self.attend_source(features, source)
            rendered = self.attend_target(common, target)
        else:
            common = features / source[:, :, None, None]
            rendered = common * target[:, :, None, None]
        return self.decoder(rendered.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), common


def structure_loss(one: Tensor, other: Tensor) -> Tensor:
    """Negative correlation over space, the mean over images and channels."""
    one, other = one.flatten(2), other.flatten(2)
    one = one - one.mean(dim=2, keepdim=True)
    other = other - other.mean(dim=2, keepdim=True)
    return -F.cosine_similarity(one, other, dim=2).mean()


class PlainStep:
    """Mean of L1 over all ordered pairs, and 0.1 times the mean structure term.

    The structure term is over all pairs (`paper`) or over consecutive contrasts (`code`).
    """

    def __init__(
        self,
        form: Form = "paper",
        blocks: int = 32,
        channels: int = 256,
        batch: int = 4,
        size: int = 64,
        device: str = "cpu",
    ) -> None:
        self.form = form
        self.shape = (batch, len(SEQUENCES), size, size)
        self.network = Network(form, blocks, channels).to(device)
        self.optimizer = Adam(self.network.parameters(), lr=1e-4)

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw the same patch in seven contrasts, and give their TR, TE and TI."""
        times = torch.tensor(SEQUENCES, device=generator.device)
        return {"images": images(generator, *self.shape), "times": times}

    def loss(self, batch: Batch) -> Tensor:
        """Give the loss of all pairs."""
        shown, times = batch["images"], batch["times"]
        count, contrasts = shown.shape[:2]
        pairs = list(permutations(range(contrasts), 2))
        error = torch.zeros((), device=shown.device)
        common: dict[int, Tensor] = {}
        for source, target in pairs:
            predicted, common[source] = self.network(
                shown[:, source : source + 1],
                times[source].expand(count, -1),
                times[target].expand(count, -1),
            )
            error = error + F.l1_loss(predicted, shown[:, target : target + 1])
        order = range(contrasts)
        together = list(combinations(order, 2) if self.form == "paper" else pairwise(order))
        structure = torch.zeros((), device=shown.device)
        for one, other in together:
            structure = structure + structure_loss(common[one], common[other])
        return error / len(pairs) + STRUCTURE_WEIGHT * structure / len(together)

    def step(self, batch: Batch) -> float:
        """Train one step and give the loss."""
        loss = self.loss(batch)
        update(self.optimizer, loss)
        return loss.item()
