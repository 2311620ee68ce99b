"""The discriminator of Simko et al. 2021, which tells the contrast of each patch."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.models.layers import started_as_in_keras

CHANNEL_FACTORS = (1, 2, 4, 4, 4, 4)
STRIDES = (2, 2, 2, 2, 2, 1)
NOISE = 5e-4
SLOPE = 0.2
STEP = 32
RECEPTIVE_FIELD = 191


@dataclass(frozen=True)
class DiscriminatorSettings:
    """Size of the discriminator.

    Attributes
    ----------
    discriminator_channels
        Channels of the first block, 128 in the paper; the others have 2, 4, 4, 4, 4 times as many.
    """

    discriminator_channels: int


class SimkoDiscriminator(nn.Module):
    """PatchGAN over the contrasts and one class more, `generated`; 8.6 million parameters.

    Section 2 and Figure 5 of the paper: six blocks of Gaussian noise (standard deviation 5e-4, in
    training alone), 3x3 convolution and LeakyReLU 0.2, then one convolution to the classes. Five
    blocks of stride 2, one of stride 1 and a 3x3 head are what gives the 8 x 8 map of a
    256 x 256 image and patches of 191 x 191 pixels (the paper says 190).

    Parameters
    ----------
    settings
        Its size.
    contrasts
        Number of contrasts; the class of this index is `generated`.
    """

    def __init__(self, settings: DiscriminatorSettings, contrasts: int) -> None:
        super().__init__()
        self.generated = contrasts
        widths = [settings.discriminator_channels * factor for factor in CHANNEL_FACTORS]
        self.blocks = nn.ModuleList(
            started_as_in_keras(nn.Conv2d(into, out, kernel_size=3, stride=stride, padding=1))
            for into, out, stride in zip((1, *widths[:-1]), widths, STRIDES, strict=True)
        )
        self.head = started_as_in_keras(
            nn.Conv2d(widths[-1], contrasts + 1, kernel_size=3, padding=1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Give the logits of the classes: [batch, 1, row, column] to [batch, class, y, x].

        The map has one cell for each 32 pixels begun.
        """
        x = image
        for block in self.blocks:
            if self.training:
                x = x + NOISE * torch.randn_like(x)
            x = F.leaky_relu(block(x), SLOPE)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(x.float())


def valid_patches(body: Tensor) -> Tensor:
    """Tell which cells of the map see any of the body.

    "Avoiding patches containing only the background" (section 2): a cell counts if its receptive
    field, 191 x 191 pixels around pixel (32 y, 32 x), holds a pixel of the body.

    Parameters
    ----------
    body
        bool [batch, 1, row, column].

    Returns
    -------
        bool [batch, y, x].
    """
    reach = RECEPTIVE_FIELD // 2
    seen = F.max_pool2d(body.float(), RECEPTIVE_FIELD, stride=STEP, padding=reach)
    return seen[:, 0] > 0
