"""Simko et al. 2021: a U-Net to PD, T1 and T2, and the signal equation as its last layer.

The paper gives the idea and its bounds (section 2 and Figure 4); the layers follow the authors'
later code (MTNN in github.com/attilasimko/drs, MIT), without its normalisation of the output to
mean 0 and standard deviation 1, which would take the physical scale away.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from itertools import pairwise
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError, check_choice
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import padded, started_as_in_keras
from pipeline_lib.signal.equations import Form, signal
from pipeline_lib.signal.sequences import Sequence

CHANNEL_FACTORS = (1, 2, 4, 8, 16, 16)
STEM_CHANNELS = 4
# PD relative to the patient's scale, T1 and T2 in seconds (paper, section 2: at most 10 and 5).
BOUNDS = ((0.0, 1.0), (0.001, 10.0), (0.001, 5.0))
# The last layer is a ReLU and then clamped, so a map that starts at or below 0 gets no gradient
# and stays there. The paper says nothing of it; its maps start here.
START = (0.5, 1.0, 0.1)


@dataclass(frozen=True)
class SimkoSettings:
    """Size of the generator and its last layer.

    Attributes
    ----------
    channels
        Channels of the finest resolution, 32 in the paper; the others have 2, 4, 8, 16, 16 times
        as many.
    signal
        `simko` (Eq. 1 of the paper) or `exact` (see `signal.equations.longitudinal`).
    batch_norm_momentum
        Share of a new batch in the running statistics, 0.01 in the authors' framework; a training
        of a few hundred steps needs more.
    """

    channels: int
    signal: Form
    batch_norm_momentum: float

    def __post_init__(self) -> None:
        check_choice("signal", self.signal, get_args(Form))

    def check(self, contrasts: Mapping[str, Sequence]) -> None:
        """Refuse contrasts that the signal equation does not know.

        Raises
        ------
        InputError
            If one has an inversion pulse and the signal is Eq. 1.
        """
        for name, sequence in contrasts.items():
            if self.signal == "simko" and sequence.has_inversion:
                raise InputError(
                    f"{name} has an inversion pulse, which Eq. 1 of Simko et al. 2021 has not; "
                    "set signal: exact of this model."
                )


class SimkoGenerator(TransferModel):
    """The generator: 19.6 million parameters at 32 channels.

    Two 3x3 convolutions with ReLU, then batch normalisation, on six resolutions (the first pair is
    4 and 32 channels wide); max-pooling down, bilinear up; the input image is concatenated
    again before the last pair, which has no normalisation; a 1x1 convolution with ReLU gives the
    maps. Borders are repeated before each 3x3 convolution (SYMMETRIC padding). TE and TR enter
    the signal equation alone.
    """

    def __init__(self, settings: SimkoSettings) -> None:
        super().__init__()
        widths = [settings.channels * factor for factor in CHANNEL_FACTORS]
        momentum = settings.batch_norm_momentum
        self.form = settings.signal
        self.down = nn.ModuleList([_pair(1, STEM_CHANNELS, widths[0], momentum)])
        self.down.extend(
            _pair(finer, coarser, coarser, momentum) for finer, coarser in pairwise(widths)
        )
        self.up = nn.ModuleList(
            _pair(coarser + finer, finer, finer, momentum)
            for finer, coarser in pairwise(widths[1:])
        )
        self.last = _pair(widths[1] + widths[0] + 1, widths[0], widths[0], None)
        self.head = nn.Conv2d(widths[0], len(BOUNDS), kernel_size=1)
        self.head.bias = nn.Parameter(torch.tensor(START))

    def _maps(self, source_image: Tensor) -> Tensor:
        rows, columns = source_image.shape[-2:]
        image = padded(source_image, 2 ** (len(self.down) - 1))
        x, kept = image, []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, skipped in zip(reversed(self.up), reversed(kept[1:-1]), strict=True):
            x = block(torch.cat([_doubled(x), skipped], dim=1))
        x = self.last(torch.cat([_doubled(x), kept[0], image], dim=1))
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round the maps
            values = F.relu(self.head(x.float()))[..., :rows, :columns]
        bounded = [
            values[:, index : index + 1].clamp(low, high)
            for index, (low, high) in enumerate(BOUNDS)
        ]
        return torch.cat(bounded, dim=1)

    def contrast(self, maps: Tensor, target: Sequence) -> Tensor:
        """Measure maps [batch, 3, row, column] with a sequence: [batch, 1, row, column]."""
        pd, t1, t2 = maps.split(1, dim=1)
        return signal(target, pd, t1, t2, self.form)

    def forward(self, source_image: Tensor, targets: Listing[Sequence]) -> Tensor:
        """Predict the target contrast of each image.

        Parameters
        ----------
        source_image
            float32 [batch, 1, row, column], on the patient's scale.
        targets
            One sequence an image.

        Returns
        -------
            float32 [batch, 1, row, column].
        """
        maps = self._maps(source_image)
        images = [
            self.contrast(maps[index : index + 1], target) for index, target in enumerate(targets)
        ]
        return torch.cat(images)

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast; the source's sequence is not used."""
        return self.contrast(self._maps(source_image), target)

    def predict_all(
        self, source_image: Tensor, source: Sequence, targets: Listing[Sequence]
    ) -> Tensor:
        """Estimate the maps once and measure them with each target sequence."""
        maps = self._maps(source_image)
        return torch.cat([self.contrast(maps, target) for target in targets], dim=1)

    def maps(self, source_image: Tensor, source: Sequence) -> Tensor:
        """Give PD, T1 and T2 (seconds), [batch, 3, row, column]."""
        return self._maps(source_image)


def _pair(into: int, middle: int, out: int, momentum: float | None) -> nn.Sequential:
    layers: list[nn.Module] = [_convolution(into, middle), nn.ReLU(inplace=True)]
    layers += [_convolution(middle, out), nn.ReLU(inplace=True)]
    if momentum is not None:
        layers.append(nn.BatchNorm2d(out, eps=1e-3, momentum=momentum))
    return nn.Sequential(*layers)


def _convolution(into: int, out: int) -> nn.Conv2d:
    """3x3 with a border of one repeated pixel, which is what SYMMETRIC padding by one means."""
    return started_as_in_keras(
        nn.Conv2d(into, out, kernel_size=3, padding=1, padding_mode="replicate")
    )


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
