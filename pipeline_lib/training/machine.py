"""The device and the precision that a machine offers."""

import logging
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import torch

Network = TypeVar("Network", bound=torch.nn.Module)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Machine:
    """Where a network runs: a device, and the number format of its convolutions."""

    device: torch.device
    precision: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """Give the context in which convolutions run in `precision`."""
        return torch.autocast(
            self.device.type, dtype=self.precision, enabled=self.precision != torch.float32
        )

    def place(self, network: Network) -> Network:
        """Move a network to the device, on a GPU with channels last, as its kernels like them."""
        if self.device.type == "cuda" or getattr(network, "channels_last", False):
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network.to(self.device)

    def __str__(self) -> str:
        name = "CPU"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{name}, {str(self.precision).removeprefix('torch.')}{threads}"


def this_machine() -> Machine:
    """Choose the GPU if there is one, in bfloat16 if it has that, else the processor in float32.

    The number of threads is PyTorch's own choice, OMP_NUM_THREADS where it is set. Operations
    without a deterministic form are reported once and used nevertheless.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if not torch.cuda.is_available():
        return Machine(torch.device("cpu"), torch.float32)
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Machine(torch.device("cuda"), torch.bfloat16 if bf16 else torch.float32)
