"""A plain U-Net from one contrast to another, told which two by their TE, TR and TI."""

from collections.abc import Sequence as Listing
from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import padded
from pipeline_lib.signal.sequences import Sequence

# Times are given to the network as log(time / typical) / spread, which lies within about -2..2
# for clinical sequences, so that 8 and 16 ms are as far apart as 60 and 120 ms.
TYPICAL_SECONDS = {"te": 0.03, "tr": 2.0, "ti": 1.0}
SPREAD = 1.5
FEATURES_A_SEQUENCE = 5


@dataclass(frozen=True)
class UNetSettings:
    """Size of the network.

    Attributes
    ----------
    channels
        Channels of each resolution, the finest first.
    embedding
        Width of the two hidden layers that read the sequences.
    """

    channels: Listing[int]
    embedding: int


def sequence_features(sequences: Listing[Sequence]) -> Tensor:
    """Describe sequences by numbers near 0: TE, TR, TI on a log scale, inversion, echo train.

    Parameters
    ----------
    sequences
        Any; without an inversion the feature of TI is 0.

    Returns
    -------
        float32 [sequence, 5].
    """

    def scaled(name: str, seconds: float | None) -> float:
        return 0.0 if seconds is None else log(seconds / TYPICAL_SECONDS[name]) / SPREAD

    return torch.tensor(
        [
            [
                scaled("te", sequence.te),
                scaled("tr", sequence.tr),
                scaled("ti", sequence.ti),
                float(sequence.has_inversion),
                float(sequence.is_train),
            ]
            for sequence in sequences
        ],
        dtype=torch.float32,
    )


class UNet(TransferModel):
    """U-Net whose every block is modulated by source and target sequence (FiLM).

    One network serves every pair of contrasts: an embedding of both sequences gives each block a
    gain and an offset a channel (Perez et al. 2018, "FiLM", Eq. 1-2), and the network predicts
    the change from source to target. There is no normalisation layer: the intensities are
    quantitative (one scale a patient), and normalising would take their level away.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        channels = settings.channels
        self.embed = nn.Sequential(
            nn.Linear(2 * FEATURES_A_SEQUENCE, settings.embedding),
            nn.SiLU(),
            nn.Linear(settings.embedding, settings.embedding),
            nn.SiLU(),
        )
        finer, coarser = channels[:-1], channels[1:]
        self.down = nn.ModuleList(
            _Block(into, out, settings.embedding)
            for into, out in zip((1, *finer), channels, strict=True)
        )
        self.up = nn.ModuleList(
            _Block(low + high, high, settings.embedding)
            for low, high in zip(coarser, finer, strict=True)
        )
        self.head = nn.Conv2d(channels[0], 1, kernel_size=1)
        for parameter in self.head.parameters():  # training starts from doing nothing
            nn.init.zeros_(parameter)

    def forward(
        self, source_image: Tensor, sources: Listing[Sequence], targets: Listing[Sequence]
    ) -> Tensor:
        """Predict the target contrast of each image, with a pair of sequences an image.

        Parameters
        ----------
        source_image
            float32 [batch, 1, row, column]; any height and width, which are padded to a multiple
            of what the pooling halves and cut again.
        sources, targets
            One sequence an image.

        Returns
        -------
            float32 [batch, 1, row, column].
        """
        described = torch.cat([sequence_features(sources), sequence_features(targets)], dim=1)
        embedding = self.embed(described.to(source_image.device))
        rows, columns = source_image.shape[-2:]
        x = padded(source_image, 2 ** (len(self.down) - 1))
        kept = []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x, embedding)
            kept.append(x)
        for block, skipped in zip(reversed(self.up), reversed(kept[:-1]), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([x, skipped], dim=1), embedding)
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round the image
            change = self.head(x.float())
        return source_image + change[..., :rows, :columns]

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast; see `TransferModel.predict`."""
        count = len(source_image)
        return self(source_image, [source] * count, [target] * count)


class _Block(nn.Module):
    """Two 3x3 convolutions, the second modulated by the embedding."""

    def __init__(self, into: int, out: int, embedding: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(into, out, kernel_size=3, padding=1)
        self.second = nn.Conv2d(out, out, kernel_size=3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * out)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        x = F.leaky_relu(self.first(x), 0.1)
        gain, offset = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
        return F.leaky_relu(self.second(x) * (1 + gain) + offset, 0.1)
