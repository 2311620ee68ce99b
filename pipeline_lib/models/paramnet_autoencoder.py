"""The autoencoder of Narang et al. 2022, whose encoder gives Param-Net its features."""

from collections.abc import Sequence as Listing
from itertools import pairwise

from torch import Tensor, nn

from pipeline_lib.models.layers import started_as_in_keras

SLOPE = 0.2
# The notebooks' BatchNorm2d(momentum=0.5): half of each new batch goes into the statistics.
MOMENTUM = 0.5


class Autoencoder(nn.Module):
    """Section 3.1: 3x3 convolutions down, transposed ones up, one 3x3, one 1x1, tanh.

    Parameters
    ----------
    channels
        Of the encoder's layers, the finest first. The first keeps the resolution and has no
        normalisation (as in the notebooks), each other halves it.
    """

    def __init__(self, channels: Listing[int]) -> None:
        super().__init__()
        first = nn.Sequential(
            started_as_in_keras(nn.Conv2d(1, channels[0], 3, padding=1, bias=False)),
            nn.LeakyReLU(SLOPE),
        )
        self.down = nn.ModuleList([first])
        for into, out in pairwise(channels):
            convolution = nn.Conv2d(into, out, 3, stride=2, padding=1, bias=False)
            self.down.append(_layer(convolution, nn.LeakyReLU(SLOPE)))
        upward = [channels[-1], *reversed(channels[1:-1]), channels[0] // 2]
        layers: list[nn.Module] = []
        for into, out in pairwise(upward):
            convolution_up = nn.ConvTranspose2d(
                into, out, 3, stride=2, padding=1, output_padding=1, bias=False
            )
            layers.append(_layer(convolution_up, nn.ReLU()))
        last = upward[-1] // 2
        layers.append(_layer(nn.Conv2d(upward[-1], last, 3, padding=1, bias=False), nn.ReLU()))
        layers += [started_as_in_keras(nn.Conv2d(last, 1, 1, bias=False)), nn.Tanh()]
        self.up = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Give back [batch, 1, row, column] between -1 and 1; sides a multiple of 2^layers."""
        for layer in self.down:
            image = layer(image)
        return self.up(image)

    def features(self, image: Tensor) -> list[Tensor]:
        """Give the outputs of the encoder's layers, the finest first."""
        found = []
        for layer in self.down:
            image = layer(image)
            found.append(image)
        return found


def _layer(convolution: nn.Conv2d | nn.ConvTranspose2d, activation: nn.Module) -> nn.Sequential:
    nn.init.xavier_uniform_(convolution.weight)
    norm = nn.BatchNorm2d(convolution.out_channels, momentum=MOMENTUM)
    return nn.Sequential(convolution, norm, activation)
