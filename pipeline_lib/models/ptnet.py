"""PTNet (Zhang et al. 2021), the 2-D network: two pyramids of linear-attention transformers.

Layers and sizes are those of the authors' 2-D model (`PTN_local` in github.com/XuzheZ/PTNet3D,
MIT): a pyramid at half resolution gives its features to one at full resolution.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import from_signed, padded, to_signed
from pipeline_lib.models.performer import Performer, TransformerBlock, sinusoids
from pipeline_lib.signal.sequences import Sequence

HALVINGS = 3
FINEST_PATCH, PATCH = 7, 3


@dataclass(frozen=True)
class PtNetSettings:
    """Size of the network.

    Attributes
    ----------
    channels
        Of the finest layer of both pyramids, 32 in the authors' code; doubled at each halving.
    width, global_width
        Of the tokens in the middle of the pyramid at full and at half resolution: 256 and 512.
    layers, heads
        Of the transformers in the middle, 9 and 4.
    """

    channels: int
    width: int
    global_width: int
    layers: int
    heads: int

    def __post_init__(self) -> None:
        if self.channels % 4:
            raise InputError(f"channels is {self.channels}; ptnet needs a multiple of 4.")


class PtNet(TransferModel):
    """The pyramid at full resolution, helped by the one at half resolution."""

    def __init__(self, settings: PtNetSettings) -> None:
        super().__init__()
        c = settings.channels
        self.coarse = _Pyramid(c, settings.global_width, settings.layers, settings.heads, helped=0)
        self.fine = _Pyramid(c, settings.width, settings.layers, settings.heads, helped=c)
        self.head = nn.Linear(c, 1)

    def forward(self, source_image: Tensor) -> Tensor:
        """Predict float32 [batch, 1, row, column]; sides are padded to multiples of 16."""
        rows, columns = source_image.shape[-2:]
        image = to_signed(padded(source_image, 2 ** (HALVINGS + 1)))
        half = F.interpolate(image, scale_factor=0.5, mode="bilinear", align_corners=True)
        features = self.fine(image, self.coarse(half, None))
        predicted = self.head(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return from_signed(torch.tanh(predicted.float()))[..., :rows, :columns]

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the one target contrast that was trained."""
        return self(source_image)


class _Pyramid(nn.Module):
    """Patches become tokens, coarser three times; transformers; and back with skips.

    Parameters
    ----------
    channels
        Of the finest layer.
    width, layers, heads
        Of the transformers at an eighth of the resolution.
    helped
        Channels of another pyramid's features that join before the last doubling.
    """

    def __init__(self, channels: int, width: int, layers: int, heads: int, helped: int) -> None:
        super().__init__()
        c = channels
        self.down = nn.ModuleList(
            [
                _Unfold(1, c, FINEST_PATCH, stride=1),
                _Unfold(c, 2 * c, PATCH, stride=2),
                _Unfold(2 * c, 4 * c, PATCH, stride=2),
            ]
        )
        self.inward = nn.Linear(4 * c * PATCH**2, width)
        self.middle = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.outward = nn.Linear(width, 4 * c)
        self.up = nn.ModuleList(
            [
                _Doubling(4 * c, 4 * c, 2 * c),
                _Doubling(2 * c, 2 * c, c),
                _Doubling(c + helped, c, c),
            ]
        )
        self.last = Performer(c + 1, c)

    def forward(self, image: Tensor, help: Tensor | None) -> Tensor:
        """Give features [batch, channel, row, column] of [batch, 1, row, column]."""
        x, kept = image, []
        for unfold in self.down:
            x = unfold(x)
            kept.append(x)
        grid = (x.shape[-2] // 2, x.shape[-1] // 2)
        tokens = F.unfold(x, PATCH, stride=2, padding=PATCH // 2).transpose(1, 2)
        tokens = self.inward(tokens)
        tokens = tokens + sinusoids(tokens.shape[1], tokens.shape[2], tokens.device)
        for block in self.middle:
            tokens = block(tokens)
        x = _image(self.outward(tokens), grid)
        for place, doubling in enumerate(self.up):
            if place == len(self.up) - 1 and help is not None:
                x = torch.cat([x, help], dim=1)
            x = doubling(x, kept[-(place + 1)])
        return _image(self.last(_tokens(torch.cat([x, image], dim=1))), x.shape[-2:])


class _Unfold(nn.Module):
    """Overlapping patches become tokens, which a performer mixes."""

    def __init__(self, into: int, out: int, patch: int, stride: int) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.performer = Performer(into * patch**2, out)

    def forward(self, x: Tensor) -> Tensor:
        grid = [size // self.stride for size in x.shape[-2:]]
        tokens = F.unfold(x, self.patch, stride=self.stride, padding=self.patch // 2)
        return _image(self.performer(tokens.transpose(1, 2)), grid)


class _Doubling(nn.Module):
    """Pixel shuffle to twice the resolution, the skip beside it, a performer."""

    def __init__(self, into: int, skipped: int, out: int) -> None:
        super().__init__()
        self.performer = Performer(into // 4 + skipped, out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = torch.cat([F.pixel_shuffle(x, 2), skip], dim=1)
        return _image(self.performer(_tokens(x)), skip.shape[-2:])


def _tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


def _image(tokens: Tensor, grid: "torch.Size | list[int] | tuple[int, int]") -> Tensor:
    return tokens.transpose(1, 2).unflatten(2, tuple(grid))
