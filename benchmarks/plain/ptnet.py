"""PTNet (Zhang et al. 2021), its 2-D network, in plain PyTorch.

As in pix2pixHD, whose losses it takes, all passes come first and then both updates; so the
discriminator judges the target once, and its weights stay in the graph of the generator's loss.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from benchmarks.plain.layers import Batch, PatchDiscriminator, images, least_squares, update


class Performer(nn.Module):
    """Attention of one head by random features, in time linear in the tokens."""

    random: Tensor

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(into)
        self.key_query_value = nn.Linear(into, 3 * out)
        self.project = nn.Linear(out, out)
        self.norm_perceptron = nn.LayerNorm(out)
        self.perceptron = nn.Sequential(nn.Linear(out, out), nn.GELU(), nn.Linear(out, out))
        directions = nn.init.orthogonal_(torch.empty(out // 2, out))
        self.register_buffer("random", directions * (out // 2) ** 0.5)

    def positive(self, x: Tensor) -> Tensor:
        """Give the random features of keys or queries."""
        projected = torch.einsum("bni,mi->bnm", x, self.random)
        squares = (x**2).sum(dim=2, keepdim=True) / 2
        return torch.exp(projected - squares) / len(self.random) ** 0.5

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens [batch, token, into] to [batch, token, out]."""
        key, query, value = self.key_query_value(self.norm(tokens)).chunk(3, dim=2)
        key, query = self.positive(key), self.positive(query)
        weight = torch.einsum("bnm,bm->bn", query, key.sum(dim=1))[:, :, None]
        summed = torch.einsum("bnm,bni->bmi", key, value)
        attended = torch.einsum("bnm,bmi->bni", query, summed) / (weight + 1e-8)
        x = value + self.project(attended)
        return x + self.perceptron(self.norm_perceptron(x))


class Transformer(nn.Module):
    """Self-attention and a perceptron, each normalised before and added after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.norm_perceptron = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens [batch, token, width]."""
        query, key, value = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in self.query_key_value(self.norm(tokens)).chunk(3, dim=2)
        )
        weights = F.softmax(query @ key.transpose(2, 3) / query.shape[3] ** 0.5, dim=3)
        x = tokens + self.out((weights @ value).transpose(1, 2).flatten(2))
        return x + self.perceptron(self.norm_perceptron(x))


def sinusoids(tokens: int, width: int) -> Tensor:
    """Positions as sines of the even channels and cosines of the odd ones, [token, width]."""
    rates = 10000.0 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(tokens)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def as_tokens(x: Tensor) -> Tensor:
    """Make [batch, channel, row, column] to [batch, token, channel]."""
    return x.flatten(2).transpose(1, 2)


def as_image(tokens: Tensor, rows: int) -> Tensor:
    """Make [batch, token, channel] of a square to [batch, channel, row, column]."""
    return tokens.transpose(1, 2).unflatten(2, (rows, -1))


class Pyramid(nn.Module):
    """Patches become tokens on four resolutions, and come back with skip connections."""

    positions: Tensor

    def __init__(
        self, channels: int, width: int, layers: int, heads: int, size: int, helped: int
    ) -> None:
        super().__init__()
        c = channels
        self.down = nn.ModuleList(
            [Performer(49, c), Performer(9 * c, 2 * c), Performer(18 * c, 4 * c)]
        )
        self.inward = nn.Linear(36 * c, width)
        self.middle = nn.ModuleList(Transformer(width, heads) for _ in range(layers))
        self.outward = nn.Linear(width, 4 * c)
        self.up = nn.ModuleList(
            [
                Performer(c + 4 * c, 2 * c),
                Performer(c // 2 + 2 * c, c),
                Performer((c + helped) // 4 + c, c),
            ]
        )
        self.last = Performer(c + 1, c)
        self.register_buffer("positions", sinusoids((size // 8) ** 2, width), persistent=False)

    def forward(self, image: Tensor, help: Tensor | None) -> Tensor:
        """Give features [batch, channel, row, column] of [batch, 1, row, column]."""
        rows = image.shape[2]
        x, kept = image, []
        for patch, stride, performer in zip((7, 3, 3), (1, 2, 2), self.down, strict=True):
            rows = rows // stride
            patches = F.unfold(x, patch, stride=stride, padding=patch // 2)
            x = as_image(performer(patches.transpose(1, 2)), rows)
            kept.append(x)
        tokens = self.inward(F.unfold(x, 3, stride=2, padding=1).transpose(1, 2))
        tokens = tokens + self.positions
        for block in self.middle:
            tokens = block(tokens)
        x = as_image(self.outward(tokens), rows // 2)
        for place, performer in enumerate(self.up):
            if place == 2 and help is not None:
                x = torch.cat([x, help], dim=1)
            x = torch.cat([F.pixel_shuffle(x, 2), kept.pop()], dim=1)
            x = as_image(performer(as_tokens(x)), x.shape[2])
        return as_image(self.last(as_tokens(torch.cat([x, image], dim=1))), x.shape[2])


class Generator(nn.Module):
    """A pyramid at half resolution, whose features help one at full resolution."""

    def __init__(
        self, channels: int, widths: tuple[int, int], layers: int, heads: int, size: int
    ) -> None:
        super().__init__()
        fine, coarse = widths
        self.coarse = Pyramid(channels, coarse, layers, heads, size // 2, helped=0)
        self.fine = Pyramid(channels, fine, layers, heads, size, helped=channels)
        self.head = nn.Linear(channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Predict [batch, 1, row, column], of -1 to 1 like the image."""
        half = F.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=True)
        features = self.fine(image, self.coarse(half, None))
        return torch.tanh(self.head(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))


class PlainStep:
    """100 times MSE, least squares of two scales and 10 times the distance of their features."""

    def __init__(
        self,
        channels: int = 32,
        widths: tuple[int, int] = (256, 512),
        layers: int = 9,
        heads: int = 4,
        discriminator_channels: int = 64,
        batch: int = 4,
        size: int = 192,
        device: str = "cpu",
    ) -> None:
        self.shape = (batch, 1, size, size)
        self.generator = Generator(channels, widths, layers, heads, size).to(device)
        self.discriminators = nn.ModuleList(
            PatchDiscriminator(2, discriminator_channels, padding=2) for _ in range(2)
        ).to(device)
        self.of_generator, self.of_discriminator = (
            Adam(network.parameters(), lr=2e-4, betas=(0.9, 0.999))
            for network in (self.generator, self.discriminators)
        )

    def make_batch(self, generator: torch.Generator) -> Batch:
        """Draw images of both contrasts."""
        return {name: images(generator, *self.shape) for name in ("source", "target")}

    def judged(self, source: Tensor, image: Tensor) -> list[list[Tensor]]:
        """Give the features of an image beside its source, of the finer scale first."""
        both = torch.cat([source, image], dim=1)
        half = F.avg_pool2d(both, 3, stride=2, padding=1, count_include_pad=False)
        return [judge(x) for judge, x in zip(self.discriminators, (both, half), strict=True)]

    def losses(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Give the generator's loss and the discriminators'."""
        fake = self.generator(source)
        of_fake = self.judged(source, fake.detach())
        of_real = self.judged(source, target)
        judging, deceiving, matching = (torch.zeros((), device=source.device) for _ in range(3))
        for false, true in zip(of_fake, of_real, strict=True):
            judging = judging + least_squares(false[-1], real=False) / 2
            judging = judging + least_squares(true[-1], real=True) / 2
        for seen, true in zip(self.judged(source, fake), of_real, strict=True):
            deceiving = deceiving + least_squares(seen[-1], real=True)
            for one, other in zip(seen[:-1], true[:-1], strict=True):
                matching = matching + F.l1_loss(one, other.detach()) / len(of_real)
        return 100 * F.mse_loss(fake, target) + deceiving + 10 * matching, judging

    def step(self, batch: Batch) -> float:
        """Train one step and give the generator's loss."""
        loss, judging = self.losses(2 * batch["source"] - 1, 2 * batch["target"] - 1)
        update(self.of_generator, loss)
        update(self.of_discriminator, judging)
        return loss.item()
