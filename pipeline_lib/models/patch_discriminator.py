"""The discriminator of pix2pix (Isola et al. 2017), which judges overlapping patches."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.models.layers import start_narrow

STRIDED = 3
SLOPE = 0.2
WIDEST = 512


class PatchDiscriminator(nn.Module):
    """Three convolutions of stride 2, two of stride 1: one number for each 70 x 70 patch.

    Parameters
    ----------
    channels
        Of what is judged: source and target together.
    width
        Channels of the first layer, 64 in pGAN, ResViT and PTNet.
    padding
        Of the 4x4 convolutions: 1 in pix2pix, 2 in pix2pixHD.
    """

    def __init__(self, channels: int, width: int, padding: int = 1) -> None:
        super().__init__()
        layers = [_layer(channels, width, stride=2, padding=padding, normalised=False)]
        for number in range(1, STRIDED + 1):
            into, width = width, min(2 * width, WIDEST)
            stride = 2 if number < STRIDED else 1
            layers.append(_layer(into, width, stride=stride, padding=padding, normalised=True))
        layers.append(nn.Sequential(nn.Conv2d(width, 1, kernel_size=4, padding=padding)))
        self.layers = nn.ModuleList(layers)
        start_narrow(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Judge [batch, channel, row, column]: the features of every layer, the verdict last."""
        features = []
        for layer in self.layers:
            image = layer(image)
            features.append(image)
        return features


class MultiScaleDiscriminator(nn.Module):
    """Judges at full resolution, and others at half of it (pix2pixHD, Wang et al. 2018, 3.2).

    Parameters
    ----------
    channels, width, padding
        Of each `PatchDiscriminator`.
    scales
        Number of resolutions.
    """

    def __init__(self, channels: int, width: int, scales: int = 2, padding: int = 2) -> None:
        super().__init__()
        self.judges = nn.ModuleList(
            PatchDiscriminator(channels, width, padding) for _ in range(scales)
        )

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """Give the features of each scale, the finest first."""
        judged: list[list[Tensor]] = []
        for judge in self.judges:
            if judged:
                image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
            judged.append(judge(image))
        return judged


def _layer(into: int, out: int, stride: int, padding: int, normalised: bool) -> nn.Sequential:
    convolution = nn.Conv2d(into, out, kernel_size=4, stride=stride, padding=padding)
    norm = [nn.InstanceNorm2d(out)] if normalised else []
    return nn.Sequential(convolution, *norm, nn.LeakyReLU(SLOPE))


def squared_verdict(verdict: Tensor, real: bool) -> Tensor:
    """Least-squares adversarial loss (Mao et al. 2017, Eq. 2): mean of (verdict - label)^2."""
    return ((verdict.float() - float(real)) ** 2).mean()


def paired(source: Tensor, target: Tensor) -> Tensor:
    """Give a conditional discriminator source and target as channels of one image."""
    return torch.cat([source, target], dim=1)
