"""Pieces that several networks are built of."""

import torch.nn.functional as F
from torch import Tensor, nn


def padded(image: Tensor, multiple: int) -> Tensor:
    """Pad with zeros at the bottom and the right to a multiple of `multiple` pixels."""
    rows, columns = image.shape[-2:]
    return F.pad(image, (0, -columns % multiple, 0, -rows % multiple))


def started_as_in_keras(layer: nn.Conv2d) -> nn.Conv2d:
    """Draw the weights of a convolution uniformly as Glorot and Bengio 2010 (Eq. 16), biases 0."""
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return layer
