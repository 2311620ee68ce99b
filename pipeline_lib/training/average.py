"""An exponential moving average of the weights, which evaluates more steadily than the last."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """The running average of a network's weights; buffers are taken as they are.

    Parameters
    ----------
    network
        Whose weights are averaged.
    decay
        Share of the old average in the new one. In the first steps it is less, (1 + n)/(10 + n)
        after n updates, so that the first weights are soon forgotten. 0 keeps no average.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = network
        self.decay = decay
        self.updates = 0
        self.weights = (
            {name: weight.detach().clone() for name, weight in network.named_parameters()}
            if decay
            else {}
        )

    def update(self) -> None:
        """Take the network's weights into the average."""
        if not self.decay:
            return
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = [weight.detach() for weight in self.network.parameters()]
        torch._foreach_lerp_(list(self.weights.values()), current, 1 - decay)
        self.updates += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network have the average's weights for a while."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def restore(self, weights: Mapping[str, Tensor], updates: int) -> None:
        """Go on from kept weights."""
        self.updates = updates
        for name, weight in self.weights.items():
            weight.copy_(weights[name])

    @torch.no_grad()
    def _exchange(self) -> None:
        parameters = dict(self.network.named_parameters())
        for name, averaged in self.weights.items():
            current = parameters[name].detach().clone()
            parameters[name].copy_(averaged)
            averaged.copy_(current)
