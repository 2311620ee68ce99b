"""The residual generator of Johnson et al. 2016, which pGAN and ResViT are made of."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


def encoder(into: int, width: int, norm: Norm, bias: bool) -> nn.Sequential:
    """7x7 convolution, then two of stride 2: [.., into, y, x] to [.., 4 width, y/4, x/4]."""
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3), nn.Conv2d(into, width, kernel_size=7, bias=bias), norm(width),
        nn.ReLU(inplace=True),
    ]  # fmt: skip
    for finer in (width, 2 * width):
        layers += down(finer, 2 * finer, norm, bias)
    return nn.Sequential(*layers)


def decoder(width: int, norm: Norm, bias: bool) -> nn.Sequential:
    """Undo `encoder`, to one image between -1 and 1."""
    layers = [*up(4 * width, 2 * width, norm, bias), *up(2 * width, width, norm, bias)]
    return nn.Sequential(
        *layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 1, kernel_size=7), nn.Tanh()
    )


def down(into: int, out: int, norm: Norm, bias: bool) -> list[nn.Module]:
    """Halve the resolution: convolution of stride 2, normalisation, ReLU."""
    convolution = nn.Conv2d(into, out, kernel_size=3, stride=2, padding=1, bias=bias)
    return [convolution, norm(out), nn.ReLU(inplace=True)]


def up(into: int, out: int, norm: Norm, bias: bool) -> list[nn.Module]:
    """Double the resolution: transposed convolution of stride 2, normalisation, ReLU."""
    convolution = nn.ConvTranspose2d(
        into, out, kernel_size=3, stride=2, padding=1, output_padding=1, bias=bias
    )
    return [convolution, norm(out), nn.ReLU(inplace=True)]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with mirrored borders, added to what went in."""

    def __init__(self, channels: int, norm: Norm, bias: bool, dropout: float = 0.0) -> None:
        super().__init__()

        def convolution() -> list[nn.Module]:
            layer = nn.Conv2d(channels, channels, kernel_size=3, bias=bias)
            return [nn.ReflectionPad2d(1), layer, norm(channels)]

        drop = [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*convolution(), nn.ReLU(inplace=True), *drop, *convolution())

    def forward(self, x: Tensor) -> Tensor:
        """Change [batch, channel, row, column] by a residual."""
        return torch.add(x, self.layers(x))
