"""ResViT (Dalmaz et al. 2022): a residual generator with two transformer blocks in its middle.

Layers and settings are those of the authors' code (github.com/icon-lab/ResViT, MIT).
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import from_signed, padded, to_signed
from pipeline_lib.models.resnet import ResidualBlock, decoder, down, encoder, up
from pipeline_lib.models.vision_transformer import (
    VisionTransformer,
    copy_array,
    published_weights,
)
from pipeline_lib.signal.sequences import Sequence

BLOCKS = 9
# The aggregated residual transformer (ART) blocks of the nine that hold the transformer.
TRANSFORMING = (0, 5)
TOKEN_PIXELS = 16


@dataclass(frozen=True)
class ResVitSettings:
    """Size of the generator.

    Attributes
    ----------
    channels
        Of the first convolution, 64 in the paper.
    width, layers, heads
        Of the transformer: 768, 12 and 12 (ViT-B/16) in the paper.
    grid
        Rows and columns of learned positions, 16 in the paper for 256 x 256 pixels; other slices
        interpolate them.
    """

    channels: int
    width: int
    layers: int
    heads: int
    grid: int

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"width {self.width} is no multiple of the {self.heads} heads.")


class ResVitGenerator(TransferModel):
    """Encoder, nine ART blocks, decoder: 123 M weights at the paper's size.

    Both transforming blocks share one transformer's weights; its positions are their own. With
    `transforming` false the same network is the convolutional one of the first stage.
    """

    def __init__(self, settings: ResVitSettings) -> None:
        super().__init__()
        self.transforming = True
        width = settings.channels
        self.encoder = encoder(1, width, nn.BatchNorm2d, bias=False)
        self.residual = nn.ModuleList(
            ResidualBlock(4 * width, nn.BatchNorm2d, bias=False) for _ in range(BLOCKS)
        )
        self.transformer = VisionTransformer(settings.width, settings.layers, settings.heads)
        self.aggregation = nn.ModuleList(_Aggregation(settings) for _ in TRANSFORMING)
        self.decoder = decoder(width, nn.BatchNorm2d, bias=False)

    def forward(self, source_image: Tensor) -> Tensor:
        """Predict float32 [batch, 1, row, column]; sides are padded to multiples of 16."""
        rows, columns = source_image.shape[-2:]
        x = self.encoder(to_signed(padded(source_image, TOKEN_PIXELS)))
        for place, block in enumerate(self.residual):
            if self.transforming and place in TRANSFORMING:
                x = self.aggregation[TRANSFORMING.index(place)](x, self.transformer)
            x = block(x)
        return from_signed(self.decoder(x).float())[..., :rows, :columns]

    def load_transformer(self, path: Path) -> None:
        """Start the transformer, its embedding and its positions from a published checkpoint.

        Positions of another grid are interpolated; that of the class token is left out.

        Raises
        ------
        InputError
            If the file can't be read, or holds a transformer of another size.
        """
        with published_weights(path) as arrays:
            self.transformer.load(arrays)
            for part in self.aggregation:
                assert isinstance(part, _Aggregation)
                part.load(arrays)

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the one target contrast that was trained."""
        return self(source_image)


class _Aggregation(nn.Module):
    """What the transformer sees of the features, beside them, compressed to their channels."""

    def __init__(self, settings: ResVitSettings) -> None:
        super().__init__()
        width, tokens = settings.channels, 16 * settings.channels
        step = partial(down, norm=nn.BatchNorm2d, bias=False)
        self.down = nn.Sequential(*step(4 * width, 8 * width), *step(8 * width, tokens))
        self.embed = nn.Conv2d(tokens, settings.width, kernel_size=1)
        self.positions = nn.Parameter(torch.zeros(1, settings.width, settings.grid, settings.grid))
        back = partial(up, norm=nn.BatchNorm2d, bias=False)
        self.up = nn.Sequential(*back(settings.width, 8 * width), *back(8 * width, 4 * width))
        self.compress = _Compression(8 * width, 4 * width)

    def forward(self, x: Tensor, transformer: nn.Module) -> Tensor:
        tokens = self.embed(self.down(x))
        grid = tokens.shape[-2:]
        positions: Tensor = self.positions
        if positions.shape[-2:] != grid:
            positions = F.interpolate(positions, grid, mode="bilinear", align_corners=True)
        seen = transformer((tokens + positions).flatten(2).transpose(1, 2))
        seen = self.up(seen.transpose(1, 2).unflatten(2, grid))
        return self.compress(torch.cat([seen, x], dim=1))

    def load(self, arrays: "np.lib.npyio.NpzFile") -> None:
        copy_array(self.embed.weight, arrays["embedding/kernel"].transpose(3, 2, 0, 1))
        assert self.embed.bias is not None
        copy_array(self.embed.bias, arrays["embedding/bias"])
        published = torch.from_numpy(arrays["Transformer/posembed_input/pos_embedding"])[:, 1:]
        side = int(published.shape[1] ** 0.5)
        grid = published.transpose(1, 2).unflatten(2, (side, side))
        size = self.positions.shape[-2:]
        self.positions.copy_(F.interpolate(grid, size, mode="bilinear", align_corners=True))


class _Compression(nn.Module):
    """Two 3x3 convolutions and a 1x1 one around them (a residual block that changes width)."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()

        def convolution(channels: int, size: int) -> list[nn.Module]:
            layer = nn.Conv2d(channels, out, kernel_size=size, padding=size // 2, bias=False)
            return [layer, nn.BatchNorm2d(out)]

        self.skip = nn.Sequential(*convolution(into, 1))
        self.layers = nn.Sequential(*convolution(into, 3), nn.ReLU(), *convolution(out, 3))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.layers(x) + self.skip(x))
