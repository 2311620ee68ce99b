"""pGAN (Dar et al. 2019): a residual generator that sees the neighbouring slices.

Layers and settings are those of the authors' code (github.com/icon-lab/pGAN-cGAN, MIT).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import from_signed, padded, start_narrow, to_signed
from pipeline_lib.models.resnet import ResidualBlock, decoder, encoder
from pipeline_lib.signal.sequences import Sequence

DROPOUT = 0.5


@dataclass(frozen=True)
class PganSettings:
    """Size and input of the generator.

    Attributes
    ----------
    channels
        Of the first convolution, 64 in the paper.
    blocks
        Residual blocks, 9 in the paper.
    slices
        Consecutive slices that it sees, odd; 3 in the paper.
    """

    channels: int
    blocks: int
    slices: int


class PganGenerator(TransferModel):
    """Encoder, nine residual blocks with dropout, decoder; 11.4 M weights.

    Instance normalisation without gains, the default of the authors' code.
    """

    def __init__(self, settings: PganSettings) -> None:
        super().__init__()
        self.neighbours = settings.slices // 2
        width = settings.channels
        self.layers = nn.Sequential(
            encoder(1 + 2 * self.neighbours, width, nn.InstanceNorm2d, bias=True),
            *(
                ResidualBlock(4 * width, nn.InstanceNorm2d, bias=True, dropout=DROPOUT)
                for _ in range(settings.blocks)
            ),
            decoder(width, nn.InstanceNorm2d, bias=True),
        )
        start_narrow(self)

    def forward(self, source_image: Tensor) -> Tensor:
        """Predict float32 [batch, 1, row, column] of [batch, slice, row, column]."""
        rows, columns = source_image.shape[-2:]
        image = to_signed(padded(source_image, 4))
        return from_signed(self.layers(image).float())[..., :rows, :columns]

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the one target contrast that was trained."""
        return self(source_image)
