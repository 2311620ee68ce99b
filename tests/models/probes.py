"""What the tests of several networks measure of them."""

import torch
from torch import Tensor, nn


def weights(module: nn.Module) -> int:
    """Count what is trained."""
    return sum(weight.numel() for weight in module.parameters())


def convolutions(module: nn.Module) -> list[tuple[str, int, int, int, int]]:
    """List kind, channels in, channels out, size and stride of every convolution, in order."""
    return [
        (
            "up" if isinstance(layer, nn.ConvTranspose2d) else "conv",
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size[0],
            layer.stride[0],
        )
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]


def linears(module: nn.Module) -> list[tuple[int, int]]:
    """List inputs and outputs of every linear layer, in order."""
    return [
        (layer.in_features, layer.out_features)
        for layer in module.modules()
        if isinstance(layer, nn.Linear)
    ]


def reach(gradient: Tensor) -> tuple[int, int, int, int]:
    """Give the first and last row, and the first and last column, that are not 0."""
    rows, columns = gradient.nonzero(as_tuple=True)
    return rows.min().item(), rows.max().item(), columns.min().item(), columns.max().item()


class Calls:
    """Count how often a module runs, and keep what it is given and gives."""

    def __init__(self, module: nn.Module) -> None:
        self.given: list[Tensor] = []
        self.gave: list[Tensor] = []
        module.register_forward_hook(self._note)

    def __len__(self) -> int:
        return len(self.given)

    def _note(self, _: nn.Module, given: tuple[Tensor, ...], gave: Tensor) -> None:
        self.given.append(given[0])
        self.gave.append(gave)


def narrow(values: Tensor, spread: float) -> bool:
    """Tell whether many values look drawn from a normal distribution around 0.

    Within 3 % of the spread, whose own standard error is 0.7 % for the 10,000 values at least
    that are asked for here; a uniform distribution would have no value beyond 1.73 spreads.
    """
    assert values.numel() >= 10_000
    tail = (values.abs() > 2 * spread).float().mean().item()
    return bool(
        abs(values.mean()) < 0.05 * spread
        and torch.isclose(values.std(), torch.tensor(spread), rtol=0.03)
        and 0.03 < tail < 0.06
    )
