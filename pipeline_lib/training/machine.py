"""The device and the precision that a machine offers."""

import logging
import os
import resource
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import torch

from pipeline_lib.errors import check_choice

Precision = Literal["auto", "float32", "bfloat16"]
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

    def peak_bytes(self) -> float:
        """Give the most memory that was used so far: of the GPU, or of this process."""
        if self.device.type == "cuda":
            return float(torch.cuda.max_memory_allocated(self.device))
        return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def __str__(self) -> str:
        name = "CPU"
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        threads = f", {torch.get_num_threads()} threads" if self.device.type == "cpu" else ""
        return f"{name}, {str(self.precision).removeprefix('torch.')}{threads}"


def prefer_huge_pages() -> None:
    """Let large tensors on the processor lie in huge pages; call it before the first tensor.

    PyTorch asks the system for each tensor's memory anew, and a plain stack of convolutions at
    full resolution spends two fifths of its time on page faults. Networks of many small weights
    only get larger by it.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def this_machine(precision: Precision) -> Machine:
    """Choose the GPU if there is one, else the processor.

    The number of threads is PyTorch's own choice, OMP_NUM_THREADS where it is set. Operations
    without a deterministic form are reported once and used nevertheless.

    Parameters
    ----------
    precision
        Of the convolutions; `auto` is bfloat16 where the device computes with it (GPUs from
        Ampere on, processors with AVX512-BF16 or AMX), else float32.

    Raises
    ------
    InputError
        If it is none of these.
    """
    check_choice("precision", precision, get_args(Precision))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if torch.cuda.is_available():
        device = torch.device("cuda")
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        device = torch.device("cpu")
        has_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    wanted = precision == "bfloat16" or (precision == "auto" and has_bfloat16)
    return Machine(device, torch.bfloat16 if wanted else torch.float32)
