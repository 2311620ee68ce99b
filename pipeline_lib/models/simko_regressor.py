"""The discriminator of Simko et al.'s later code, which reads TE and TR off an image.

Layers follow `build_discriminator` of MTNN in github.com/attilasimko/drs (MIT).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline_lib.models.layers import started_as_in_keras
from pipeline_lib.models.simko_discriminator import SLOPE, DiscriminatorSettings

DROPOUT = 0.4
SPREAD = 0.02
# Before the strided layers; those have 1, 2, 4, 4, 4 times the first one's channels.
STEM = (4, 16)
CHANNEL_FACTORS = (1, 2, 4, 4, 4)
MAP_CHANNELS, MAP_SIZE = 6, 8
DENSE = (256, 128, 32)
ANSWERS = 3


class SimkoRegressor(nn.Module):
    """Convolutions to a map of 6 x 8 x 8, four dense layers, three numbers between 0 and 1.

    The numbers are TE and TR, 0 at the shortest and 1 at the longest of the training, and how
    real the image is. Gaussian noise and dropout act in training alone. The map of an image of
    another size than 256 x 256 is averaged to 8 x 8.

    Parameters
    ----------
    settings
        Channels of the first strided layer, 32 in the code.
    noise
        Standard deviation of the noise, 1e-4 in the code.
    """

    def __init__(self, settings: DiscriminatorSettings, noise: float = 1e-4) -> None:
        super().__init__()
        self.noise = noise
        widths = [settings.discriminator_channels * factor for factor in CHANNEL_FACTORS]
        self.stem = nn.ModuleList(
            _convolution(into, out, stride=1) for into, out in zip((1, STEM[0]), STEM, strict=True)
        )
        self.strided = nn.ModuleList(
            _convolution(into, out, stride=2)
            for into, out in zip((STEM[1], *widths[:-1]), widths, strict=True)
        )
        self.map = _convolution(widths[-1], MAP_CHANNELS, stride=1)
        self.drop = nn.Dropout(DROPOUT)
        self.pool = nn.AdaptiveAvgPool2d(MAP_SIZE)
        sizes = (MAP_CHANNELS * MAP_SIZE**2, *DENSE, ANSWERS)
        self.dense = nn.Sequential(
            *(started_as_in_keras(nn.Linear(into, out)) for into, out in pairwise(sizes))
        )

    def forward(self, image: Tensor) -> Tensor:
        """Give TE, TR (0..1) and realness of [batch, 1, row, column]: [batch, 3].

        The code cuts the answers to 0..1; here the cut is left to those who read them, because
        beyond it there is no gradient and an answer would stay there.
        """
        x = self._disturbed(image)
        for layer in self.stem:
            x = nn.functional.leaky_relu(layer(x), SLOPE)
        for number, layer in enumerate(self.strided):
            x = layer(x)
            if number:
                x = self._disturbed(self.drop(x))
            x = nn.functional.leaky_relu(x, SLOPE)
        with torch.autocast(x.device.type, enabled=False):
            return self.dense(self.pool(self.map(x.float())).flatten(1))

    def _disturbed(self, x: Tensor) -> Tensor:
        return x + self.noise * torch.randn_like(x) if self.training else x


def _convolution(into: int, out: int, stride: int) -> nn.Conv2d:
    layer = nn.Conv2d(into, out, kernel_size=3, stride=stride, padding=1)
    nn.init.normal_(layer.weight, 0.0, SPREAD)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
