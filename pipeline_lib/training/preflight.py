"""What a training step will cost, told before the first one: weights, arithmetic, memory.

The step is done once on tensors without content (PyTorch's fake tensors), which takes a second
and no memory, and what it would allocate and compute is counted.
"""

import weakref
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from pipeline_lib.errors import InputError
from pipeline_lib.slices.batch import Batch
from pipeline_lib.training.machine import Machine, Network
from pipeline_lib.training.method import Method

# Running means of a weight in our optimisers (Adam, NAdam, AdamW).
MOMENTS = 2
# PyTorch itself and what convolutions borrow: 0.1 to 1.0 GiB in
# benchmarks/results/2026-11-21-train-step.md.
OVERHEAD_BYTES = 500e6


@dataclass(frozen=True)
class Preflight:
    """The cost of the dearest phase's step.

    Attributes
    ----------
    parameters
        Number of weights of each network.
    flops
        Floating-point operations of a step (a multiplication and an addition are two), forward
        and backward, over this process's share of the batch.
    memory_bytes
        Expected peak: weights, gradients, moments, activations.
    """

    parameters: Mapping[str, int]
    flops: float
    memory_bytes: float

    def __str__(self) -> str:
        sizes = [
            f"{count / 1e6:.2f} M weights in {name}" for name, count in self.parameters.items()
        ]
        cost = f"{self.flops / 1e9:,.1f} GFLOP a step"
        return f"{', '.join(sizes)}; {cost}; {self.memory_bytes / 2**30:.2f} GiB expected"


def preflight(
    build: Callable[[Machine], Method], batch: Batch, accumulate: int, machine: Machine
) -> Preflight:
    """Count the cost of a step.

    Parameters
    ----------
    build
        Builds networks and optimisers.
    batch
        A batch of this process, of which only the shapes count.
    accumulate
        Parts that it is split into.
    machine
        Device and precision.
    """
    imagined = _Imagined(machine.device, machine.precision)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, machine.device:
        method = build(imagined)
        faked = batch.with_tensors(lambda tensor: mode.from_tensor(tensor).to(machine.device))
        part = faked.split(accumulate)[0]
        costs = [_phase_cost(method, phase.name, part) for phase in method.phases]
    kept = sum(_bytes(network.state_dict().values()) for network in method.networks().values())
    moments = MOMENTS * sum(
        _bytes(group["params"])
        for optimizer in method.optimizers().values()
        for group in optimizer.param_groups
    )
    return Preflight(
        parameters={
            name: sum(weight.numel() for weight in network.parameters())
            for name, network in method.networks().items()
        },
        flops=max(flops for flops, _ in costs) * accumulate,
        memory_bytes=kept + moments + max(peak for _, peak in costs) + OVERHEAD_BYTES,
    )


def check_memory(expected: Preflight, machine: Machine, accumulate: int) -> None:
    """Refuse a training that will not fit.

    Raises
    ------
    InputError
        If it needs more memory than is free on the GPU, or than this job may use.
    """
    free = _free_bytes(machine)
    if free is not None and expected.memory_bytes > free:
        raise InputError(
            f"a step needs some {expected.memory_bytes / 2**30:.1f} GiB, but {machine} has "
            f"{free / 2**30:.1f} GiB free; set accumulate of the model to {2 * accumulate} "
            "(the same step in more, smaller parts), or batch_size lower."
        )


class _Imagined(Machine):
    """A machine on whose device the networks were made, so that none has to be moved."""

    def place(self, network: Network) -> Network:
        return network


class _Allocations(TorchDispatchMode):
    """Follows the bytes of all tensors made within it, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._living: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._follow(value.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._living:
            return
        self._living.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._living.discard(key)
        self.now -= size


def _phase_cost(method: Method, phase: str, part: Batch) -> tuple[float, int]:
    counter, allocations = FlopCounterMode(display=False), _Allocations()
    with counter, allocations:
        for update in method.updates(phase, 0):
            update.optimizer.zero_grad(set_to_none=True)
            loss, _ = update.losses(part)
            loss.backward()
    return float(counter.get_total_flops()), allocations.peak


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _free_bytes(machine: Machine) -> float | None:
    """Free memory of the device; of a CPU what the job's cgroup or the machine has left."""
    if machine.device.type == "cuda":
        return float(torch.cuda.mem_get_info(machine.device)[0])
    limits = [_cgroup_left(), _machine_left()]
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _cgroup_left() -> float | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        used = (folder / "memory.current").read_text()
    except OSError:
        return None
    return None if limit == "max" else float(limit) - float(used)


def _machine_left() -> float | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes: Listing[str] = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
    return 1024.0 * float(kilobytes[0]) if kilobytes else None
