"""What a benchmark ran on, and what that can do at most."""

import os
import platform
import time
from collections.abc import Callable

import torch

from pipeline_lib.machine import describe_machine


def describe() -> str:
    """Processor, cores, GPU and versions, in a sentence."""
    machine = describe_machine()
    gpus = "; ".join(machine["gpus"]) or "no GPU"
    return (
        f"{machine['cores']} cores of {machine['processor']}, {gpus}; "
        f"{torch.get_num_threads()} threads; load {os.getloadavg()[0]:.1f} at the end. "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


def stream_bandwidth() -> float:
    """Bytes a second that a = b + s c moves with PyTorch's threads, arrays beyond all caches."""
    count = 1 << 25
    first, second = torch.ones(count), torch.ones(count)
    target = torch.empty(count)
    return 3 * 4 * count / _best(lambda: torch.add(first, second, alpha=2.0, out=target))


def peak_arithmetic() -> float:
    """Additions and multiplications a second of a product of float64 matrices."""
    size = 2048
    first, second = (torch.rand(size, size, dtype=torch.float64) for _ in range(2))
    target = torch.empty_like(first)
    return 2 * size**3 / _best(lambda: torch.mm(first, second, out=target))


def _best(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
