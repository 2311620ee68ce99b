"""Pieces that several of the plain networks are built of."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Batch = dict[str, Tensor]
Norm = Callable[[int], nn.Module]


def images(generator: torch.Generator, *shape: int) -> Tensor:
    """Draw images between 0 and 1 on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device)


def update(optimizer: Optimizer, loss: Tensor) -> None:
    """Take one step down the loss, from gradients of 0."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def least_squares(verdict: Tensor, real: bool) -> Tensor:
    """Least-squares adversarial loss: mean of (verdict - label)^2."""
    label = torch.ones_like(verdict) if real else torch.zeros_like(verdict)
    return nn.functional.mse_loss(verdict, label)


def coming_down(into: int, width: int, norm: Norm, bias: bool) -> nn.Sequential:
    """One 7x7 convolution, two of stride 2: `into` channels to 4 `width`."""
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(into, width, 7, bias=bias), norm(width), nn.ReLU()]
    for scale in (1, 2):
        out = 2 * scale * width
        convolution = nn.Conv2d(scale * width, out, 3, stride=2, padding=1, bias=bias)
        layers += [convolution, norm(out), nn.ReLU()]
    return nn.Sequential(*layers)


def going_up(into: int, outs: tuple[int, ...], norm: Norm, bias: bool) -> nn.Sequential:
    """Double the resolution by a transposed convolution for each width in `outs`."""
    layers: list[nn.Module] = []
    for out in outs:
        convolution = nn.ConvTranspose2d(
            into, out, 3, stride=2, padding=1, output_padding=1, bias=bias
        )
        layers += [convolution, norm(out), nn.ReLU()]
        into = out
    return nn.Sequential(*layers)


def last_layers(width: int) -> nn.Sequential:
    """One 7x7 convolution to one image between -1 and 1."""
    return nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(width, 1, 7), nn.Tanh())


class Residual(nn.Module):
    """Two 3x3 convolutions with mirrored borders beside a skip connection."""

    def __init__(self, channels: int, norm: Norm, bias: bool, dropout: float = 0.0) -> None:
        super().__init__()
        first = nn.Conv2d(channels, channels, 3, bias=bias)
        second = nn.Conv2d(channels, channels, 3, bias=bias)
        drop = [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), first, norm(channels), nn.ReLU(), *drop,
            nn.ReflectionPad2d(1), second, norm(channels),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Change [batch, channel, row, column] by a residual."""
        return x + self.layers(x)


class PatchDiscriminator(nn.Module):
    """Five 4x4 convolutions, three of them of stride 2; gives the features of every layer."""

    def __init__(self, channels: int, width: int, padding: int = 1) -> None:
        super().__init__()
        first = nn.Conv2d(channels, width, 4, stride=2, padding=padding)
        layers = [nn.Sequential(first, nn.LeakyReLU(0.2))]
        for into, out, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            convolution = nn.Conv2d(into * width, out * width, 4, stride=stride, padding=padding)
            norm = nn.InstanceNorm2d(out * width)
            layers.append(nn.Sequential(convolution, norm, nn.LeakyReLU(0.2)))
        layers.append(nn.Sequential(nn.Conv2d(8 * width, 1, 4, padding=padding)))
        self.layers = nn.ModuleList(layers)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Judge [batch, channel, row, column]; the verdict is the last of the features."""
        features = []
        for layer in self.layers:
            image = layer(image)
            features.append(image)
        return features
