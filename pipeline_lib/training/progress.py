"""Where a training stands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class Progress:
    """Where a training stands; all of it goes into the checkpoint."""

    step: int = 0
    phase: int = 0
    phase_start: int = 0
    seconds: float = 0.0
    losses_bytes: int = 0
    averaged: int = 0
    best_step: int | None = None
    best_error: float | None = None
    without_better: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add a step's values to the running sums, on the device."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach().double()  # type: ignore[assignment]
        self.counted += 1

    def means(self) -> dict[str, float]:
        """Give the means since the last call, and start anew."""
        means = {name: float(total) / self.counted for name, total in self.sums.items()}
        self.sums, self.counted = {}, 0
        return means

    def to_json(self) -> dict[str, Any]:
        """Give all fields in plain numbers."""
        self.sums = {name: float(total) for name, total in self.sums.items()}
        return asdict(self)
