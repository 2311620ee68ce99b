"""Param-Net (Narang et al. 2022): an autoencoder's features, and a decoder told TE and TR.

Layers follow section 3 of the paper and, where the two differ, the authors' notebooks
(github.com/Abhijeet8901/Deep-Learning-Based-MR-Image-Re-parameterization, MIT): the first
convolution of the autoencoder has stride 1, and the output is linear, as their tanh is computed
and thrown away.
"""

from collections.abc import Sequence as Listing
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError, check_choice
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import from_signed, padded, started_as_in_keras, to_signed
from pipeline_lib.models.paramnet_autoencoder import SLOPE, Autoencoder
from pipeline_lib.models.sequence_features import FEATURES_A_SEQUENCE, sequence_features
from pipeline_lib.signal.sequences import Sequence

Conditioning = Literal["planes", "film"]
TIMES = ("te", "tr", "ti")


@dataclass(frozen=True)
class ParamNetSettings:
    """Size of the networks and the way in which the parameters enter.

    Attributes
    ----------
    autoencoder_channels
        Channels of the encoder's layers, the finest first: 64, 64, 128, 256 and 4 x 512 in the
        paper. Every layer but the first halves the resolution.
    parameters
        Times that the planes hold: te and tr in the paper; ti for contrasts with inversion.
    default_source
        Name of the contrast from which Default-to-Param starts: it is told the parameters of
        the target alone. Empty: Param-to-Param, from any contrast, told those of both.
    conditioning
        `planes` as in the paper: each time fills constant planes beside the features, which the
        instance normalisation after them cancels but for the borders; or `film`: gains and
        offsets after the normalisation.
    """

    autoencoder_channels: Listing[int]
    parameters: Listing[str]
    default_source: str
    conditioning: Conditioning

    def __post_init__(self) -> None:
        check_choice("conditioning", self.conditioning, get_args(Conditioning))
        unknown = [name for name in self.parameters if name not in TIMES]
        if unknown or not self.parameters:
            raise InputError(f"parameters are some of {', '.join(TIMES)}, not {self.parameters}")


class ParamNet(TransferModel):
    """The decoder of eight blocks (59.9 M weights) on the frozen encoder's features."""

    def __init__(self, settings: ParamNetSettings) -> None:
        super().__init__()
        self.settings = settings
        self.film = settings.conditioning == "film"
        self.autoencoder = Autoencoder(settings.autoencoder_channels)
        widths = list(settings.autoencoder_channels)
        last = widths[0] // 2
        told = FEATURES_A_SEQUENCE * (1 if settings.default_source else 2) if self.film else None
        self.blocks = nn.ModuleList(
            _Block(into, out, told)
            for into, out in zip(reversed(widths), [*reversed(widths[:-1]), last], strict=True)
        )
        self.head = nn.Sequential(
            _convolution(last, last // 2), nn.InstanceNorm2d(last // 2), nn.LeakyReLU(SLOPE),
            _convolution(last // 2, 1),
        )  # fmt: skip

    def forward(
        self, source_image: Tensor, sources: Listing[Sequence], targets: Listing[Sequence]
    ) -> Tensor:
        """Predict one target of each image.

        Parameters
        ----------
        source_image
            float32 [batch, 1, row, column], padded to a multiple of 2^layers and cut again.
        sources, targets
            One sequence an image.

        Returns
        -------
            float32 [batch, 1, row, column].
        """
        return self._decoded(
            source_image, self._features(source_image), self.parameters_of(sources, targets)
        )

    def _features(self, source_image: Tensor) -> list[Tensor]:
        self.autoencoder.eval()  # frozen (section 3.4), the statistics of its normalisation too
        with torch.no_grad():
            image = to_signed(padded(source_image, 2 ** len(self.blocks)))
            return self.autoencoder.features(image)

    def _decoded(self, source_image: Tensor, features: list[Tensor], told: Tensor) -> Tensor:
        rows, columns = source_image.shape[-2:]
        told = told.to(source_image.device)
        start = [size // 2 ** len(self.blocks) for size in features[0].shape[-2:]]
        x = _cycled(told, features[-1].shape[1])[:, :, None, None].expand(-1, -1, *start)
        for block, skipped in zip(self.blocks, reversed(features), strict=True):
            x = block(x, skipped, told)
        return from_signed(self.head(x).float())[..., :rows, :columns]

    def parameters_of(self, sources: Listing[Sequence], targets: Listing[Sequence]) -> Tensor:
        """Give what the network is told, [batch, number].

        Planes get seconds, unscaled, the source's times first (as in the notebooks); FiLM gets
        logarithmic features of the same sequences (see `models.sequence_features`).
        """
        told = (targets,) if self.settings.default_source else (sources, targets)
        if self.film:
            return torch.cat([sequence_features(each) for each in told], dim=1)
        return torch.tensor(
            [
                [
                    getattr(each[index], name) or 0.0
                    for each in told
                    for name in self.settings.parameters
                ]
                for index in range(len(targets))
            ]
        )

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast; Default-to-Param reads the target's sequence alone."""
        return self.predict_all(source_image, source, [target])

    def predict_all(
        self, source_image: Tensor, source: Sequence, targets: Listing[Sequence]
    ) -> Tensor:
        """Encode once, then decode each target."""
        features, count = self._features(source_image), len(source_image)
        told = [self.parameters_of([source] * count, [target] * count) for target in targets]
        return torch.cat([self._decoded(source_image, features, each) for each in told], dim=1)


class _Block(nn.Module):
    """Doubles the resolution, takes the encoder's features in, then the parameters.

    Parameters
    ----------
    into, out
        Channels.
    told
        Length of what FiLM is told; `None`: constant planes.
    """

    def __init__(self, into: int, out: int, told: int | None) -> None:
        super().__init__()
        self.up = started_as_in_keras(
            nn.ConvTranspose2d(
                into, into, kernel_size=3, stride=2, padding=1, output_padding=1, bias=False
            )
        )
        self.mix = _convolution(2 * into, into)
        self.tell = _convolution(into if told else 2 * into, into)
        self.out = _convolution(into, out)
        self.modulate = nn.Linear(told, 2 * into) if told else None
        self.norm = nn.InstanceNorm2d(into)
        self.norm_out = nn.InstanceNorm2d(out)

    def forward(self, x: Tensor, skipped: Tensor, told: Tensor) -> Tensor:
        x = torch.cat([self.up(x), skipped], dim=1)
        x = F.leaky_relu(_normalised(self.norm, self.mix(x)), SLOPE)
        if self.modulate is not None:
            gain, offset = self.modulate(told)[:, :, None, None].chunk(2, dim=1)
            x = _normalised(self.norm, self.tell(x)) * (1 + gain) + offset
        else:
            x = _normalised(self.norm, with_constant_planes(x, told, self.tell.weight))
        x = F.leaky_relu(x, SLOPE)
        return F.leaky_relu(_normalised(self.norm_out, self.out(x)), SLOPE)


def with_constant_planes(x: Tensor, told: Tensor, weight: Tensor) -> Tensor:
    """Convolve features and constant planes, without making the planes.

    A 3x3 convolution with a border of zeros of a plane of the constant p is p times the sum of
    the weights that lie within the image: one number for all inner pixels, others along the four
    borders and in the four corners. So what the planes add is exactly the outer product of
    3 x 3 such sums with the rows and columns that they belong to.

    Parameters
    ----------
    x
        [batch, channel, row, column].
    told
        [batch, number]; plane c holds number c modulo their count, as many planes as channels.
    weight
        [out, 2 channel, 3, 3], of the features and then of the planes.

    Returns
    -------
        [batch, out, row, column], equal to `conv2d(cat([x, planes]), weight, padding=1)`.
    """
    channels, (rows, columns) = x.shape[1], x.shape[-2:]
    of_planes = weight[:, channels:].to(told.dtype)
    taps = torch.einsum("bc,ocyx->boyx", _cycled(told, channels), of_planes)
    border = _reached(rows, taps) @ taps @ _reached(columns, taps).T
    return F.conv2d(x, weight[:, :channels], padding=1) + border


def _reached(length: int, like: Tensor) -> Tensor:
    """Tell which of the three taps of a convolution lie within the image: [length, 3] of 0, 1."""
    place = torch.arange(length, device=like.device)[:, None] + torch.arange(
        -1, 2, device=like.device
    )
    return ((place >= 0) & (place < length)).to(like.dtype)


def _cycled(told: Tensor, channels: int) -> Tensor:
    """Repeat what is told along the channels: [batch, number] to [batch, channels]."""
    count = -(-channels // told.shape[1])
    return told.repeat(1, count)[:, :channels]


def _normalised(norm: nn.InstanceNorm2d, x: Tensor) -> Tensor:
    """Normalise each channel of each image; a single pixel, which has no variance, becomes 0."""
    return norm(x) if x[0, 0].numel() > 1 else torch.zeros_like(x)


def _convolution(into: int, out: int) -> nn.Conv2d:
    return started_as_in_keras(nn.Conv2d(into, out, kernel_size=3, padding=1, bias=False))
