"""Alkan et al. 2017: a plain stack of convolutions from T1w (and tissue masks) to T2w."""

from collections.abc import Sequence as Listing
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pipeline_lib.errors import InputError
from pipeline_lib.models.interface import TransferModel
from pipeline_lib.models.layers import started_as_in_keras
from pipeline_lib.signal.sequences import Sequence

# Keras' names and values (section 4.1); its momentum is the share of the old statistics.
EPSILON = 0.001


@dataclass(frozen=True)
class AlkanSettings:
    """Size and inputs of the network.

    Attributes
    ----------
    layers
        Convolutions, 3 or 9 in the paper.
    channels
        Filters of every convolution but the last, 32 in the paper.
    tissue_masks
        Whether the masks of the dataset's tissues are shown beside the image.
    batch_norm_momentum
        Share of a new batch in the running statistics, 0.01 in the paper.
    """

    layers: int
    channels: int
    tissue_masks: bool
    batch_norm_momentum: float

    def __post_init__(self) -> None:
        if self.layers < 2:
            raise InputError(f"layers is {self.layers}; alkan needs at least 2.")


class AlkanNetwork(TransferModel):
    """Section 4.1 and Figure 2: 3x3 convolution, batch normalisation, ReLU; at last one filter.

    From what goes in and from what comes out the mean of the training images is subtracted
    (section 3); it is kept in the buffer `mean`.

    Parameters
    ----------
    settings
        Its size.
    tissues
        Names of the dataset's tissues, shown if the settings say so. The paper's eight masks are
        the brain and seven classes of FreeSurfer's wmparc; here their union and the tissues.
    """

    channels_last = True
    mean: Tensor

    def __init__(self, settings: AlkanSettings, tissues: Listing[str]) -> None:
        super().__init__()
        self.tissues = tuple(tissues) if settings.tissue_masks else ()
        if settings.tissue_masks and not tissues:
            raise InputError(
                "tissue_masks is true, but the dataset has no tissues; set its segment.tissues, "
                "or tissue_masks of the model to false."
            )
        into = 1 + (len(self.tissues) + 1 if self.tissues else 0)
        layers: list[nn.Module] = []
        for _ in range(settings.layers - 1):
            layers += [
                started_as_in_keras(nn.Conv2d(into, settings.channels, kernel_size=3, padding=1)),
                nn.BatchNorm2d(
                    settings.channels, eps=EPSILON, momentum=settings.batch_norm_momentum
                ),
                nn.ReLU(inplace=True),
            ]
            into = settings.channels
        layers.append(started_as_in_keras(nn.Conv2d(into, 1, kernel_size=3, padding=1)))
        self.layers = nn.Sequential(*layers)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, source_image: Tensor) -> Tensor:
        """Predict the target of float32 [batch, channel, row, column]."""
        image, masks = source_image[:, :1], source_image[:, 1:]
        x = torch.cat([image - self.mean, masks], dim=1)
        x = self.layers(x.contiguous(memory_format=torch.channels_last))
        return x.float() + self.mean

    def predict(self, source_image: Tensor, source: Sequence, target: Sequence) -> Tensor:
        """Predict the one target contrast that was trained."""
        return self(source_image)
