"""Contrast Representation Learning (Xiong et al., MICCAI 2024): features common to all contrasts.

Layers and sizes follow section 2.2 of the paper and, where it is silent, the published code
(github.com/xionghonglin/CRL_MICCAI_2024, read as a description; it has no licence).
"""

from collections.abc import Sequence as Listing
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError, check_choice
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.signal.sequences import Sequence

Conditioning = Literal["attention", "product"]
HEADS = 8
# Layers of 256 of the codes' and of the decoder's perceptron: section 2.2 of the paper says four
# layers and [256, 256, 256, 256, 1]; the published code has one more in each.
HIDDEN_LAYERS = {"attention": (3, 4), "product": (4, 5)}
# Of each residual in the published encoder, as in EDSR; the paper is silent.
RESIDUAL_SCALE = 0.1
# A code of 0 would divide by 0; the published code divides as it is.
SMALLEST_CODE = 1e-4


@dataclass(frozen=True)
class CrlSettings:
    """Size of the network and the way in which the parameters enter.

    Attributes
    ----------
    blocks, channels
        Residual blocks of the encoder and width of all layers, 32 and 256 in the paper.
    conditioning
        `attention` as in the paper, or `product` as in the published code, whose forward pass
        never uses its attention.
    """

    blocks: int
    channels: int
    conditioning: Conditioning

    def __post_init__(self) -> None:
        check_choice("conditioning", self.conditioning, get_args(Conditioning))
        if self.channels % HEADS:
            raise InputError(f"channels is {self.channels}; crl needs a multiple of {HEADS}.")


class CrlNetwork(TransferModel):
    """Encoder, codes of the imaging parameters, and a decoder that sees one pixel at a time.

    `common` takes a source's parameters out of its features, `render` puts a target's in and
    decodes. A training of all pairs calls `common` once a contrast.
    """

    def __init__(self, settings: CrlSettings) -> None:
        super().__init__()
        width = settings.channels
        self.conditioning = settings.conditioning
        self.encoder = ResidualEncoder(settings.blocks, width)
        of_code, of_decoder = HIDDEN_LAYERS[settings.conditioning]
        self.code = _perceptron(3, width, width, of_code)
        self.decoder = _perceptron(width, width, 1, of_decoder)
        if settings.conditioning == "attention":
            self.attend_source = SingleKeyAttention(width)
            self.attend_target = SingleKeyAttention(width)

    def codes(self, sequences: Listing[Sequence], device: torch.device) -> Tensor:
        """Map sequences to codes, float32 [sequence, channel].

        Units are the published code's: TR and TI in tenths of a second, TE in milliseconds.
        """
        parameters = [[10 * s.tr, 1000 * s.te, 10 * (s.ti or 0.0)] for s in sequences]
        with torch.autocast(device.type, enabled=False):
            return self.code(torch.tensor(parameters, device=device))

    def common(self, image: Tensor, code: Tensor) -> Tensor:
        """Give the features common to all contrasts.

        Parameters
        ----------
        image
            float32 [batch, 1, row, column].
        code
            Codes of the images' sequences, [batch, channel].

        Returns
        -------
            [batch, channel, row, column].
        """
        features = self.encoder(image)
        if self.conditioning == "attention":
            return self.attend_source(features, code)
        sign = torch.where(code < 0, -1.0, 1.0)
        return features / (sign * code.abs().clamp(min=SMALLEST_CODE))[:, :, None, None]

    def render(self, common: Tensor, code: Tensor) -> Tensor:
        """Decode common features with the codes of the targets: [batch, 1, row, column]."""
        if self.conditioning == "attention":
            features = self.attend_target(common, code)
        else:
            features = common * code[:, :, None, None]
        return self.decoder(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).float()

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the target contrast; see `TransferModel.predict`."""
        return self.predict_all(source_image, source, [target])

    def predict_all(
        self, source_image: Tensor, source: Sequence, targets: Listing[Sequence]
    ) -> Tensor:
        """Encode once, then decode each target."""
        codes = self.codes([source, *targets], source_image.device)
        count = len(source_image)
        common = self.common(source_image, codes[:1].expand(count, -1))
        rendered = [self.render(common, code.expand(count, -1)) for code in codes[1:]]
        return torch.cat(rendered, dim=1)


class ResidualEncoder(nn.Module):
    """32 residual blocks of two 3x3 convolutions without normalisation: 38.4 M weights at 256.

    A convolution before and one after them, and the sum of both (as in EDSR, Lim et al. 2017,
    whose encoder the published code takes).
    """

    def __init__(self, blocks: int, channels: int) -> None:
        super().__init__()
        self.head = nn.Conv2d(1, channels, kernel_size=3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, kernel_size=3, padding=1),
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            )
            for _ in range(blocks)
        )
        self.tail = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Encode [batch, 1, row, column] to [batch, channel, row, column]."""
        first = self.head(image)
        x = first
        for block in self.body:
            x = x + RESIDUAL_SCALE * block(x)
        return first + self.tail(x)


class SingleKeyAttention(nn.Module):
    """Cross-attention of 8 heads: every pixel a query, one code the only key and value.

    A softmax over one key is 1 whatever the image shows. As in the published code's (unused)
    attention it runs over the queries instead: it says which pixels take most of the code. The
    weights are multiplied by the number of pixels, so that a patch and a whole slice get weights
    of the same size, and what is attended is added to the features, which else would be lost.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, kernel_size=1)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = nn.Conv2d(channels, channels, kernel_size=1)

    def forward(self, features: Tensor, code: Tensor) -> Tensor:
        """Attend codes [batch, channel] from features [batch, channel, row, column]."""
        batch, channels, rows, columns = features.shape
        heads = (batch, HEADS, channels // HEADS)
        query = self.query(features).view(*heads, rows * columns)
        scores = torch.einsum("bhcn,bhc->bhn", query, self.key(code).view(heads))
        with torch.autocast(features.device.type, enabled=False):
            weights = F.softmax(scores.float() * heads[2] ** -0.5, dim=-1) * (rows * columns)
        attended = weights[:, :, None] * self.value(code).view(heads)[..., None]
        return features + self.out(attended.reshape(batch, channels, rows, columns))


def _perceptron(into: int, width: int, out: int, hidden: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(hidden):
        layers += [nn.Linear(into, width), nn.ReLU()]
        into = width
    return nn.Sequential(*layers, nn.Linear(into, out))
