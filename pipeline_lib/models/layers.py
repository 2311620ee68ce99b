"""Pieces that several networks are built of."""

from typing import TypeVar

import torch.nn.functional as F
from torch import Tensor, nn


def padded(image: Tensor, multiple: int) -> Tensor:
    """Pad with zeros at the bottom and the right to a multiple of `multiple` pixels."""
    rows, columns = image.shape[-2:]
    return F.pad(image, (0, -columns % multiple, 0, -rows % multiple))


def to_signed(image: Tensor) -> Tensor:
    """Shift 0..1, the patient's scale, to -1..1, in which networks with tanh were published."""
    return 2 * image - 1


def from_signed(image: Tensor) -> Tensor:
    """Shift -1..1 back to 0..1."""
    return (image + 1) / 2


Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def started_as_in_keras(layer: Layer) -> Layer:
    """Draw the weights uniformly as Glorot and Bengio 2010 (Eq. 16), biases 0."""
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
        else:
            nn.init.zeros_(parameter)
    return layer


def start_narrow(network: nn.Module) -> None:
    """Draw convolutions from N(0, 0.02) and gains of normalisation from N(1, 0.02).

    So start DCGAN (Radford et al. 2016, section 3) and the networks after it.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
