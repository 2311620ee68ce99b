"""Perceptual distances: features of VGG16 where the user has its weights, else edges."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline_lib.errors import InputError

# VGG16 up to relu2_2, before its second pooling (Simonyan and Zisserman 2015, configuration D).
LAYERS = (
    ("features.0", 3, 64),
    ("features.2", 64, 64),
    ("features.5", 64, 128),
    ("features.7", 128, 128),
)
POOLED_BEFORE = "features.5"
SCALES = 3


def read_vgg16(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of VGG16's first layers.

    Parameters
    ----------
    path
        Safetensors with the tensors of torchvision's vgg16 (`features.0.weight` ...).

    Raises
    ------
    InputError
        If the file is missing or holds no VGG16.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} can't be read ({error}); perceptual_weights names a safetensors file of "
            "torchvision's vgg16, or nothing."
        ) from None
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}.weight": (out, into, 3, 3) for name, into, out in LAYERS
    }
    shapes |= {f"{name}.bias": (out,) for name, _, out in LAYERS}
    for name, shape in shapes.items():
        if name not in tensors or tensors[name].shape != shape:
            raise InputError(
                f"{path} holds no vgg16: its tensor {name} is missing or has not the shape {shape}."
            )
    return {name: tensors[name] for name in shapes}


class VggDistance(nn.Module):
    """Mean absolute difference of the features of VGG16's layer relu2_2, as in pGAN.

    Parameters
    ----------
    weights
        See `read_vgg16`.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for name, into, out in LAYERS:
            layer = nn.Conv2d(into, out, kernel_size=3, padding=1)
            for part, weight in layer.named_parameters():
                weight.data.copy_(weights[f"{name}.{part}"])
            self.layers.append(layer)
        self.requires_grad_(False)

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Compare two images [batch, 1, row, column]."""
        return (self._features(predicted) - self._features(target)).abs().mean()

    def _features(self, image: Tensor) -> Tensor:
        x = image.expand(-1, 3, -1, -1)
        for (name, _, _), layer in zip(LAYERS, self.layers, strict=True):
            x = F.relu(layer(F.max_pool2d(x, 2) if name == POOLED_BEFORE else x))
        return x


class EdgeDistance(nn.Module):
    """Mean absolute difference of edges at three resolutions: the substitute without VGG16.

    Edges are differences of neighbouring pixels along rows and columns; at each next resolution
    2 x 2 pixels were averaged. No network is involved, so nothing has to be downloaded.
    """

    def forward(self, predicted: Tensor, target: Tensor) -> Tensor:
        """Compare two images [batch, 1, row, column]."""
        error = predicted - target
        total = torch.zeros((), device=error.device)
        for _ in range(SCALES):
            total = total + error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
            error = F.avg_pool2d(error, 2)
        return total / SCALES
