"""One step of a method, and batches made by hand."""

import pytest
import torch
from torch import Tensor

from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Method
from pipeline_lib.training.progress import Progress
from tests.training.stores import CONTRASTS

CPU = Machine(torch.device("cpu"), torch.float32)
SEQUENCES = tuple(CONTRASTS.values())


def batch_of(
    source: Tensor, targets: Tensor | None, sources: list[int], wanted: list[list[int]]
) -> Batch:
    """Make a batch that is all body of images and indices of contrasts."""
    return Batch(
        source=source,
        targets=targets,
        body=torch.ones(len(source), 1, *source.shape[2:]) > 0,
        source_contrast=torch.tensor(sources),
        target_contrasts=torch.tensor(wanted),
        source_sequences=tuple(SEQUENCES[index] for index in sources),
        target_sequences=tuple(tuple(SEQUENCES[index] for index in each) for each in wanted),
    )


def step(
    method: Method, phase: str, number: int, batch: Batch, accumulate: int = 1
) -> dict[str, float]:
    """Do all updates of a step, as the loop does, and give what they log."""
    values: dict[str, float] = {}
    parts = batch.split(accumulate)
    for update in method.updates(phase, number):
        update.optimizer.zero_grad(set_to_none=True)
        for part in parts:
            loss, named = update.losses(part)
            (loss / accumulate).backward()
            values |= {name: value.item() for name, value in named.items()}
        for group in update.optimizer.param_groups:
            group["lr"] = update.rate
        update.optimizer.step()
    return values


class Killed(BaseException):
    """No error that anything would handle."""


def die_at(steps: list[int], patched: pytest.MonkeyPatch) -> None:
    """Let trainings die amid each of these steps, after its updates but before it is counted."""
    left, add = list(steps), Progress.add

    def die(self: Progress, values: dict[str, Tensor]) -> None:
        if self.step in left:
            left.remove(self.step)
            raise Killed
        add(self, values)

    patched.setattr(Progress, "add", die)
