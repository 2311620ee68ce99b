"""ResViT (Dalmaz et al. 2022) in plain PyTorch, in its second stage, with the transformer.

The weights of the discriminator stay in the graph of the generator's loss.
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

BLOCKS = 9
TRANSFORMING = (0, 5)


class TransformerLayer(nn.Module):
    """Self-attention and a perceptron, each normalised before and added after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm_perceptron = nn.LayerNorm(width, eps=1e-6)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.drop = nn.Dropout(0.1)

    def of_heads(self, x: Tensor) -> Tensor:
        """Split [batch, token, width] into [batch, head, token, width / heads]."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Mix tokens [batch, token, width]."""
        normed = self.norm_attention(x)
        query, key, value = (
            self.of_heads(layer(normed)) for layer in (self.query, self.key, self.value)
        )
        weights = F.softmax(query @ key.transpose(2, 3) / query.shape[3] ** 0.5, dim=3)
        x = x + self.out((weights @ value).transpose(1, 2).flatten(2))
        hidden = self.drop(F.gelu(self.widen(self.norm_perceptron(x))))
        return x + self.drop(self.narrow(hidden))


class Aggregation(nn.Module):
    """The transformer at a quarter of the features' resolution, and both compressed to one."""

    def __init__(self, channels: int, width: int, grid: int) -> None:
        super().__init__()
        wide, wider, widest = 4 * channels, 8 * channels, 16 * channels
        self.positions = nn.Parameter(torch.zeros(1, grid**2, width))
        self.down = nn.Sequential(
            nn.Conv2d(wide, wider, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(wider), nn.ReLU(),
            nn.Conv2d(wider, widest, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(widest), nn.ReLU(),
        )  # fmt: skip
        self.embed = nn.Conv2d(widest, width, 1)
        self.up = going_up(width, (wider, wide), nn.BatchNorm2d, bias=False)
        self.skip = nn.Sequential(nn.Conv2d(wider, wide, 1, bias=False), nn.BatchNorm2d(wide))
        self.compress = nn.Sequential(
            nn.Conv2d(wider, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1, bias=False), nn.BatchNorm2d(wide),
        )  # fmt: skip

    def forward(self, x: Tensor, transformer: nn.Module) -> Tensor:
        """Give features of the same shape."""
        embedded = self.embed(self.down(x))
        tokens = transformer(embedded.flatten(2).transpose(1, 2) + self.positions)
        seen = self.up(tokens.transpose(1, 2).reshape(embedded.shape))
        both = torch.cat([seen, x], dim=1)
        return F.relu(self.compress(both) + self.skip(both))


class Generator(nn.Module):
    """Encoder, nine residual blocks with two transformers of shared weights, decoder."""

    def __init__(self, channels: int, width: int, layers: int, heads: int, grid: int) -> None:
        super().__init__()
        norm, wide = nn.BatchNorm2d, 4 * channels
        self.encoder = coming_down(1, channels, norm, bias=False)
        self.residual = nn.ModuleList(Residual(wide, norm, bias=False) for _ in range(BLOCKS))
        self.transformer = nn.Sequential(
            nn.Dropout(0.1),
            *(TransformerLayer(width, heads) for _ in range(layers)),
            nn.LayerNorm(width, eps=1e-6),
        )
        self.aggregation = nn.ModuleList(Aggregation(channels, width, grid) for _ in TRANSFORMING)
        self.decoder = nn.Sequential(
            going_up(wide, (2 * channels, channels), norm, bias=False), last_layers(channels)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Predict [batch, 1, row, column], of -1 to 1 like the image."""
        x = self.encoder(image)
        for place, block in enumerate(self.residual):
            if place in TRANSFORMING:
                x = self.aggregation[TRANSFORMING.index(place)](x, self.transformer)
            x = block(x)
        return self.decoder(x)


class PlainStep:
    """Least squares and 100 times L1."""

    def __init__(
        self,
        channels: int = 64,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        batch: int = 1,
        size: int = 256,
        device: str = "cpu",
    ) -> None:
        self.shape = (batch, 1, size, size)
        self.generator = Generator(channels, width, layers, heads, size // 16).to(device)
        self.discriminator = PatchDiscriminator(2, channels).to(device)
        self.of_generator, self.of_discriminator = (
            Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw images of both contrasts."""
        return {name: images(generator, *self.shape) for name in ("source", "target")}

    def verdict(self, source: Tensor, image: Tensor) -> Tensor:
        """Judge an image beside its source."""
        return self.discriminator(torch.cat([source, image], dim=1))[-1]

    def step(self, batch: Batch) -> float:
        """Train one step and give the generator's loss."""
        source, target = 2 * batch["source"] - 1, 2 * batch["target"] - 1
        fake = self.generator(source)

        of_real = least_squares(self.verdict(source, target), real=True)
        of_fake = least_squares(self.verdict(source, fake.detach()), real=False)
        update(self.of_discriminator, (of_real + of_fake) / 2)

        adversarial = least_squares(self.verdict(source, fake), real=True)
        loss = adversarial + 100 * F.l1_loss(fake, target)
        update(self.of_generator, loss)
        return loss.item()
