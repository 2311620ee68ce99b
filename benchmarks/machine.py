"""What a benchmark ran on, and what that can do at most."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

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


# In a process of its own, whose only child is the command: the peak is that of no other.
_MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"status": done.returncode, "seconds": time.perf_counter() - start,
                  "mib": used.ru_maxrss / 1024, "told": done.stdout + done.stderr}))
"""


def run_measured(
    command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Run a command; give its `status`, `seconds`, peak memory in `mib`, and what it `told`."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        capture_output=True, text=True, check=True, cwd=folder, env=environment,
    )  # fmt: skip
    return json.loads(done.stdout)


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
