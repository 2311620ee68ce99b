"""Transformer layers of PTNet: attention in linear time, and the usual one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Half as many random features as channels, and a floor of the division, as in T2T-ViT.
FEATURES_SHARE = 0.5
FLOOR = 1e-8
WIDENING = 2


class Performer(nn.Module):
    """Attention through positive random features (Choromanski et al. 2021, Eq. 5 and Lemma 1).

    Every softmax weight exp(q.k) becomes a scalar product of exp(w q - |q|^2 / 2) and its like
    of k, so that the sum over tokens is taken once for all queries. That is exact on average for
    directions w from N(0, 1); the authors' are orthogonal and shorter, half as many as channels.
    One head; the value is the skip connection (as in T2T-ViT, Yuan et al. 2021, whose layer PTNet
    takes).

    Parameters
    ----------
    into, out
        Channels of the tokens before and after.
    """

    random: Tensor

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(into)
        self.key_query_value = nn.Linear(into, 3 * out)
        self.project = nn.Linear(out, out)
        self.norm_perceptron = nn.LayerNorm(out)
        self.perceptron = nn.Sequential(nn.Linear(out, out), nn.GELU(), nn.Linear(out, out))
        features = int(out * FEATURES_SHARE)
        directions = torch.empty(features, out)
        nn.init.orthogonal_(directions)
        self.register_buffer("random", directions * features**0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens [batch, token, into] to [batch, token, out]."""
        key, query, value = self.key_query_value(self.norm(tokens)).chunk(3, dim=-1)
        with torch.autocast(tokens.device.type, enabled=False):  # exponentials of squares
            value = value.float()
            key, query = self._positive(key.float()), self._positive(query.float())
            summed = key.transpose(1, 2) @ torch.cat(
                [value, torch.ones_like(value[..., :1])], dim=-1
            )
            attended, weight = (query @ summed).split([value.shape[-1], 1], dim=-1)
            attended = attended / (weight + FLOOR)
        x = value + self.project(attended)
        return x + self.perceptron(self.norm_perceptron(x))

    def _positive(self, x: Tensor) -> Tensor:
        squares = (x * x).sum(dim=-1, keepdim=True) / 2
        return torch.exp(x @ self.random.T - squares) * len(self.random) ** -0.5


class TransformerBlock(nn.Module):
    """Self-attention and a perceptron, each normalised before and added after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width)
        self.norm_perceptron = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, WIDENING * width), nn.GELU(), nn.Linear(WIDENING * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens [batch, token, width]."""
        parts = self.query_key_value(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value)
        x = tokens + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.perceptron(self.norm_perceptron(x))


def sinusoids(tokens: int, width: int, device: torch.device) -> Tensor:
    """Positions of tokens as sines and cosines, [token, width] (Vaswani et al. 2017, 3.5)."""
    rates = 10000.0 ** (-(torch.arange(width) // 2 * 2) / width)
    angles = torch.arange(tokens)[:, None] * rates
    even = torch.arange(width) % 2 == 0
    return torch.where(even, angles.sin(), angles.cos()).to(device)
