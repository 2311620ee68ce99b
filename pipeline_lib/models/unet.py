"""A plain U-Net from one contrast to any others, told which by their TE, TR and TI."""

from collections.abc import Sequence as Listing
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import padded
from pipeline_lib.models.sequence_features import FEATURES_A_SEQUENCE, sequence_features
from pipeline_lib.signal.sequences import Sequence

SLOPE = 0.1


@dataclass(frozen=True)
class UNetSettings:
    """Size of the network.

    Attributes
    ----------
    pixel_block
        Blocks of so many pixels squared become the channels of one pixel before the first
        convolution, and pixels again after the last (1: none), because convolutions of full
        images are most of the time of a small network.
    channels
        Channels of each resolution, the finest first.
    features
        Images from which the last layer mixes every target.
    embedding
        Width of the hidden layers that read the sequences.
    conditioned
        Whether the network is told TE, TR and TI; if not, it learns one pair of contrasts.
    """

    pixel_block: int
    channels: Listing[int]
    features: int
    embedding: int
    conditioned: bool


class UNet(TransferModel):
    """U-Net for any pair of contrasts, conditioned on both sequences.

    Without conditioning it is a plain U-Net for one pair, which adds a change to the source.
    With it, the source's sequence gives every convolution a gain and an offset a channel (FiLM:
    Perez et al. 2018, Eq. 1-2). What comes out are images of features; the last layer mixes them,
    and the source image, into each target by weights that are a function of both sequences. So
    all targets of a source cost one pass. There is no normalisation layer: the intensities are
    quantitative (one scale a patient), and normalising would take their level away.
    """

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.block, channels = settings.pixel_block, settings.channels
        self.conditioned = settings.conditioned
        embedding = settings.embedding if settings.conditioned else None
        features = settings.features if settings.conditioned else 1
        if settings.conditioned:
            self.embed = nn.Sequential(
                nn.Linear(FEATURES_A_SEQUENCE, settings.embedding),
                nn.SiLU(),
                nn.Linear(settings.embedding, settings.embedding),
                nn.SiLU(),
            )
            self.mix = nn.Sequential(
                nn.Linear(2 * FEATURES_A_SEQUENCE, 2 * settings.embedding),
                nn.SiLU(),
                nn.Linear(2 * settings.embedding, settings.features + 2),
            )
        finer, coarser = channels[:-1], channels[1:]
        self.down = nn.ModuleList(
            _Block(into, out, embedding)
            for into, out in zip((self.block**2, *finer), channels, strict=True)
        )
        self.up = nn.ModuleList(
            _Block(low + high, high, embedding) for low, high in zip(coarser, finer, strict=True)
        )
        self.head = nn.Conv2d(channels[0], features * self.block**2, kernel_size=1)

    def forward(
        self,
        source_image: Tensor,
        sources: Listing[Sequence],
        targets: Listing[Listing[Sequence]],
    ) -> Tensor:
        """Predict target contrasts of each image.

        Parameters
        ----------
        source_image
            float32 [batch, 1, row, column]; any height and width, which are padded to a multiple
            of what blocks and pooling divide by, and cut again.
        sources
            One sequence an image.
        targets
            Equally many sequences for each image.

        Returns
        -------
            float32 [batch, target, row, column].
        """
        if not self.conditioned:
            return source_image + self._features(source_image, None).float()
        device = source_image.device
        source = sequence_features(sources).to(device)
        target = torch.stack([sequence_features(wanted) for wanted in targets]).to(device)
        features = self._features(source_image, self.embed(source))
        with torch.autocast(device.type, enabled=False):  # bf16 would round the image
            pair = torch.cat([source[:, None].expand_as(target), target], dim=2)
            weights, gain, offset = self.mix(pair).split([features.shape[1], 1, 1], dim=2)
            change = torch.einsum("btf,bfyx->btyx", weights, features.float())
            return source_image * (1 + gain[..., None]) + offset[..., None] + change

    def _features(self, source_image: Tensor, embedding: Tensor | None) -> Tensor:
        rows, columns = source_image.shape[-2:]
        image = padded(source_image, self.block * 2 ** (len(self.down) - 1))
        x, kept = F.pixel_unshuffle(image, self.block), []
        for level, block in enumerate(self.down):
            x = block(F.max_pool2d(x, 2) if level else x, embedding)
            kept.append(x)
        for block, skipped in zip(reversed(self.up), reversed(kept[:-1]), strict=True):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(torch.cat([x, skipped], dim=1), embedding)
        return F.pixel_shuffle(self.head(x), self.block)[..., :rows, :columns]

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast; see `TransferModel.predict`."""
        return self.predict_all(source_image, source, [target])

    def predict_all(
        self, source_image: Tensor, source: Sequence, targets: Listing[Sequence]
    ) -> Tensor:
        """Predict several contrasts of the same images in one pass."""
        count = len(source_image)
        return self(source_image, [source] * count, [targets] * count)


class _Block(nn.Module):
    """Two 3x3 convolutions, each modulated by the embedding if there is one."""

    def __init__(self, into: int, out: int, embedding: int | None) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels, out, kernel_size=3, padding=1) for channels in (into, out)
        )
        self.modulate = nn.Linear(embedding, 4 * out) if embedding else None
        for convolution in self.convolutions:
            for parameter in convolution.parameters():
                if parameter.dim() > 1:
                    nn.init.kaiming_normal_(parameter, a=SLOPE)
                else:
                    nn.init.zeros_(parameter)

    def forward(self, x: Tensor, embedding: Tensor | None) -> Tensor:
        if self.modulate is None:
            for convolution in self.convolutions:
                x = F.leaky_relu(convolution(x), SLOPE)
            return x
        films = self.modulate(embedding)[:, :, None, None].chunk(4, dim=1)
        for convolution, gain, offset in zip(
            self.convolutions, films[::2], films[1::2], strict=True
        ):
            x = F.leaky_relu(convolution(x) * (1 + gain) + offset, SLOPE)
        return x
