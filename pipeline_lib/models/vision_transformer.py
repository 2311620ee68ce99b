"""The encoder of a vision transformer (Dosovitskiy et al. 2021), and weights that a user has."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline_lib.errors import InputError

DROPOUT = 0.1
WIDENING = 4
EPSILON = 1e-6


class VisionTransformer(nn.Module):
    """Layers of self-attention and perceptron, each normalised before and added after.

    Parameters
    ----------
    width, layers, heads
        768, 12 and 12 for ViT-B/16: 85 M weights.
    """

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width, eps=EPSILON)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode [batch, token, width]."""
        x = self.drop(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    def load(self, arrays: "np.lib.npyio.NpzFile") -> None:
        """Take the arrays of a published checkpoint (see `published_weights`)."""
        if f"Transformer/encoderblock_{len(self.layers)}/LayerNorm_0/scale" in arrays:
            raise ValueError(f"it has more than {len(self.layers)} layers")
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, _Layer)
            layer.load(arrays, f"Transformer/encoderblock_{number}")
        copy_array(self.norm.weight, arrays["Transformer/encoder_norm/scale"])
        copy_array(self.norm.bias, arrays["Transformer/encoder_norm/bias"])


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(width, eps=EPSILON)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm_perceptron = nn.LayerNorm(width, eps=EPSILON)
        self.widen = nn.Linear(width, WIDENING * width)
        self.narrow = nn.Linear(WIDENING * width, width)
        self.drop = nn.Dropout(DROPOUT)
        for layer in (self.widen, self.narrow):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm_attention(x)
        query, key, value = (
            layer(normed).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        hidden = self.drop(F.gelu(self.widen(self.norm_perceptron(x))))
        return x + self.drop(self.narrow(hidden))

    def load(self, arrays: "np.lib.npyio.NpzFile", root: str) -> None:
        """Copy one layer's arrays; linear maps are stored [in, out], heads apart."""
        width = self.query.in_features
        for name, layer in (
            ("query", self.query),
            ("key", self.key),
            ("value", self.value),
            ("out", self.out),
        ):
            at = f"{root}/MultiHeadDotProductAttention_1/{name}"
            kernel = arrays[f"{at}/kernel"]  # [in, head, of head], but of `out` [head, of head, in]
            heads = kernel.shape[0 if name == "out" else 1]
            if heads != self.heads:
                raise ValueError(f"it has {heads} heads, not {self.heads}")
            copy_array(layer.weight, kernel.reshape(width, width).T)
            copy_array(layer.bias, arrays[f"{at}/bias"].reshape(-1))
        for name, layer in (("Dense_0", self.widen), ("Dense_1", self.narrow)):
            copy_array(layer.weight, arrays[f"{root}/MlpBlock_3/{name}/kernel"].T)
            copy_array(layer.bias, arrays[f"{root}/MlpBlock_3/{name}/bias"])
        for name, norm in (
            ("LayerNorm_0", self.norm_attention),
            ("LayerNorm_2", self.norm_perceptron),
        ):
            copy_array(norm.weight, arrays[f"{root}/{name}/scale"])
            copy_array(norm.bias, arrays[f"{root}/{name}/bias"])


def copy_array(weight: Tensor, array: np.ndarray) -> None:
    """Copy an array of the same shape into a weight."""
    if weight.shape != array.shape:
        raise ValueError(f"an array of {array.shape} instead of {tuple(weight.shape)}")
    weight.copy_(torch.from_numpy(np.ascontiguousarray(array)))


@contextmanager
def published_weights(path: Path) -> Iterator["np.lib.npyio.NpzFile"]:
    """Open a published checkpoint of a vision transformer (`R50+ViT-B_16.npz` and its like).

    Nothing is unpickled.

    Raises
    ------
    InputError
        If the file can't be read, or holds a transformer of another size.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays, torch.no_grad():
            yield arrays
    except (OSError, EOFError, BadZipFile, TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is no checkpoint of a vision transformer of this size ({error}); "
            "transformer_weights names one of the published .npz files, or nothing."
        ) from None
