"""One training on several GPUs: the same weights in every process, each with a share of the batch.

Every process computes the gradients of its share; their mean is that of the whole batch, so a
step is the same whatever the number of processes, up to rounding (batch normalisation apart,
whose statistics are of a share). PyTorch's DistributedDataParallel does the same for one network
with one forward pass; the methods here have several of both.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(hours=2)
"""The others wait so long for the first process, which validates alone."""


@dataclass(frozen=True)
class Processes:
    """The processes of one training.

    Attributes
    ----------
    rank
        Number of this process, from 0; the first one alone writes files.
    count
        Number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes log, losses and checkpoints."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            dist.barrier()

    def average_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace each gradient by the mean over the processes, in one message."""
        if self.count == 1:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def share_buffers(self, networks: Iterable[nn.Module]) -> None:
        """Give every process the first one's buffers (statistics of batch normalisation)."""
        if self.count > 1:
            for network in networks:
                for buffer in network.buffers():
                    dist.broadcast(buffer, src=0)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Average numbers of the same names over the processes."""
        if self.count == 1:
            return dict(values)
        sums = torch.tensor(list(values.values()), dtype=torch.float64, device=_talking_device())
        dist.all_reduce(sums)
        return dict(zip(values, (sums / self.count).tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Tell whether a flag is set in any process, so that all stop after the same step."""
        if self.count == 1:
            return flag
        value = torch.tensor(float(flag), device=_talking_device())
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())


def _talking_device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


@contextmanager
def joined_processes() -> Iterator[Processes]:
    """Join the processes that torchrun started, or be the only one.

    With several, each takes the GPU of its local rank; without GPUs they talk through gloo.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if gpu else "gloo", timeout=PATIENCE)
    try:
        yield Processes(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()
