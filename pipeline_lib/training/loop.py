"""The training loop, one for all systems."""

import csv
import logging
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Listing
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Method
from pipeline_lib.training.validation import validation_error

log = logging.getLogger(__name__)

COLUMNS = ("phase", "step", "seconds", "name", "value")


@dataclass(frozen=True)
class LoopSettings:
    """What the loop itself is told.

    Attributes
    ----------
    batch_size
        Images a step.
    log_every, validate_every
        Steps between two lines of log, and between two validations.
    validation_slices
        Slices of each validation patient, at most.
    checkpoint_seconds
        Time between two checkpoints.
    workers
        Processes that read slices; 0 reads in the loop itself.
    """

    batch_size: int
    log_every: int
    validate_every: int
    validation_slices: int
    checkpoint_seconds: float
    workers: int


@dataclass
class Progress:
    """Where a training stands; all of it goes into the checkpoint."""

    step: int = 0
    phase: int = 0
    phase_start: int = 0
    seconds: float = 0.0
    losses_bytes: int = 0
    best_step: int | None = None
    best_error: float | None = None
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


class Training:
    """One training, from its first step or its last checkpoint to its end.

    Parameters
    ----------
    method
        The networks and their losses, freshly built and on the machine.
    dataset
        Of the training patients.
    validation
        Slices of the validation patients; of none, the last weights are kept.
    settings
        See `LoopSettings`.
    seed
        Of everything random in the steps.
    checkpoint
        Where the training is kept.
    machine
        Device and precision.
    """

    def __init__(
        self,
        method: Method,
        dataset: PairedSlices | UnpairedSlices,
        validation: Listing[PatientSlices],
        settings: LoopSettings,
        seed: int,
        checkpoint: Checkpoint,
        machine: Machine,
    ) -> None:
        self.method = method
        self.dataset = dataset
        self.validation = validation
        self.settings = settings
        self.seed = seed
        self.checkpoint = checkpoint
        self.machine = machine
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}

    def run(self) -> dict[str, dict[str, Tensor]]:
        """Train to the end and give the weights of each network.

        They are those of the best validation, or without validation patients the last.

        Every step is a function of the seed, its number and the weights before it, so a training
        that was stopped at any moment and started again ends in the same weights (on a CPU with
        the same number of threads, to the last bit). SIGTERM and SIGINT end it with a checkpoint.

        Raises
        ------
        InputError
            If a loss is no longer finite, or another process trains on this checkpoint.
        SystemExit
            After a signal.
        """
        with self.checkpoint.locked(), _stop_requests() as requests:
            self._resume()
            self._started = self._saved = time.monotonic()
            while self.progress.phase < len(self.method.phases):
                self._run_phase(requests)
                self.progress.phase += 1
                self.progress.phase_start = self.progress.step
                self._save()
        weights = self.best or self._weights()
        return {name: _within(f"{name}.", weights) for name in self.method.networks()}

    def _run_phase(self, requests: list[int]) -> None:
        progress, settings = self.progress, self.settings
        phase = self.method.phases[progress.phase]
        end = progress.phase_start + phase.steps
        size, workers = settings.batch_size, settings.workers
        reached = False
        for batch in batches(self.dataset, progress.step, end, size, workers):
            torch.manual_seed(_seed_of_step(self.seed, progress.step))
            in_phase = progress.step - progress.phase_start
            values = self.method.step(phase.name, in_phase, batch.to(self.machine.device))
            progress.add(values)
            progress.step += 1
            in_phase += 1
            if in_phase % settings.log_every == 0 or progress.step == end:
                reached = self._log(phase.name, in_phase, phase.steps)
            last = reached or progress.step == end
            if phase.selects and (in_phase % settings.validate_every == 0 or last):
                self._validate(phase.name)
            if last:
                return
            if requests or time.monotonic() - self._saved > settings.checkpoint_seconds:
                self._save()
            if requests:
                log.info("stopped by signal %d at step %d, to be resumed", *requests, progress.step)
                raise SystemExit(128 + requests[0])

    def _log(self, phase: str, step: int, steps: int) -> bool:
        means = self.progress.means()
        self._record(phase, means)
        text = ", ".join(f"{name} {value:.4g}" for name, value in means.items())
        _show(f"{phase} {step}/{steps}, {self._seconds():.0f} s: {text}", last=step == steps)
        unusable = [name for name, value in means.items() if not np.isfinite(value)]
        if unusable:
            raise InputError(
                f"{unusable[0]} of {phase} is no longer finite at step {step}; "
                "train with a lower learning_rate."
            )
        return self.method.is_reached(phase, means)

    def _validate(self, phase: str) -> None:
        if not self.validation:
            return
        progress = self.progress
        error = validation_error(
            self.method.model, self.validation, self.settings.validation_slices, self.machine
        )
        self._record(phase, {"validation_mse": error})
        if progress.best_error is None or error < progress.best_error:
            progress.best_error, progress.best_step = error, progress.step
            self.best = {name: value.clone() for name, value in self._weights().items()}

    def _record(self, phase: str, values: Mapping[str, float]) -> None:
        where = (phase, self.progress.step, f"{self._seconds():.3f}")
        with self.checkpoint.losses.open("a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(
                (*where, name, repr(value)) for name, value in values.items()
            )

    def _seconds(self) -> float:
        return self.progress.seconds + time.monotonic() - self._started

    def _weights(self) -> dict[str, Tensor]:
        return {
            f"{network}.{name}": value.detach()
            for network, module in self.method.networks().items()
            for name, value in module.state_dict().items()
        }

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"best.{name}": value for name, value in self.best.items()}
        tensors |= {f"network.{name}": value for name, value in self._weights().items()}
        for name, optimizer in self.method.optimizers().items():
            for key, value in optimizer_tensors(optimizer).items():
                tensors[f"optimizer.{name}.{key}"] = value
        return tensors

    def _save(self) -> None:
        self.progress.seconds, self._started = self._seconds(), time.monotonic()
        self.progress.losses_bytes = self.checkpoint.losses.stat().st_size
        self.checkpoint.save(self._tensors(), self.progress.to_json())
        self._saved = time.monotonic()

    def _resume(self) -> None:
        losses = self.checkpoint.losses
        kept = self.checkpoint.load()
        if kept is None:
            losses.write_text(",".join(COLUMNS) + "\n")
            return
        tensors, state = kept
        self.progress = Progress(**state)
        self.best = {
            name: value.to(self.machine.device) for name, value in _within("best.", tensors).items()
        }
        for network, module in self.method.networks().items():
            module.load_state_dict(_within(f"network.{network}.", tensors))
        for name, optimizer in self.method.optimizers().items():
            restore_optimizer(optimizer, _within(f"optimizer.{name}.", tensors))
        with losses.open("r+b") as file:  # lines of steps that were lost are written again
            file.truncate(self.progress.losses_bytes)
        log.info("resumed at step %d from %s", self.progress.step, self.checkpoint.path)


def _within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _seed_of_step(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _show(line: str, last: bool) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="\n" if last else "", file=sys.stderr, flush=True)  # noqa: T201
    else:
        log.info("%s", line)


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Collect SIGTERM (a scheduler's time limit) and SIGINT instead of dying amid a step."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
