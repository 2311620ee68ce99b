"""Checkpoints: everything that a killed training needs to go on as if nothing had happened."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from pipeline_lib.errors import InputError
from pipeline_lib.files import written_whole
from pipeline_lib.training.ownership import PATIENCE_SECONDS, Ownership, owned


@dataclass(frozen=True)
class Checkpoint:
    """The one checkpoint of one training, named by a digest of all that decides its result.

    It is one file of tensors with a JSON header, replaced as a whole, so that weights, optimisers
    and counters are always of the same step. The losses lie beside it in a CSV.

    Attributes
    ----------
    folder
        Folder of the checkpoints of a model and fold; no output of a rule, so that a failed job
        keeps it.
    digest
        See `training_digest`.
    """

    folder: Path
    digest: str

    @property
    def path(self) -> Path:
        """The tensors and counters."""
        return self.folder / f"{self.digest}.safetensors"

    @property
    def losses(self) -> Path:
        """The losses so far."""
        return self.folder / f"{self.digest}-losses.csv"

    @contextmanager
    def locked(
        self, holds: bool = True, patience: float = PATIENCE_SECONDS
    ) -> Iterator[Ownership | None]:
        """Own this checkpoint against all other processes, also those of other machines.

        Of several processes of one training, one `holds` it for all.

        Raises
        ------
        InputError
            If another process, which lives on for `patience` seconds, trains on it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not holds:
            yield None
            return
        with owned(self.path, patience) as ownership:
            yield ownership

    def save(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the checkpoint by these tensors and this state (anything JSON can say)."""
        with written_whole(self.path) as temporary:
            save_file(
                {name: tensor.detach().contiguous() for name, tensor in tensors.items()},
                temporary,
                metadata={"state": json.dumps(state)},
            )

    def load(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Give the tensors (on the CPU) and the state, or `None` if there is no checkpoint yet.

        Raises
        ------
        InputError
            If the file is damaged.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return tensors, json.loads(file.metadata()["state"])
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); delete it to train from the start."
            ) from None


def training_digest(settings: Any, files: Iterable[Path]) -> str:
    """Digest of settings (anything JSON can say) and of the content of files.

    The data are part of it: a checkpoint of slices that were made again in another way must not
    be taken up.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Give an optimiser's running state as tensors named `<parameter>.<quantity>`."""
    return {
        f"{parameter}.{name}": value
        for parameter, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave; rates and the like stay as they were built.

    A quantity of a weight gets the weight's order in memory (channels last or not): the fused
    optimisers go through both side by side.
    """
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        parameter, name = key.split(".", 1)
        weight = weights[int(parameter)].detach()
        if tensor.shape == weight.shape:
            tensor = torch.empty_like(weight, dtype=tensor.dtype).copy_(tensor)
        state.setdefault(int(parameter), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
