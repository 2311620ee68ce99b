"""The training loop, one for all systems."""

import logging
import time
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.errors import InputError
from pipeline_lib.slices.batch import Batch
from pipeline_lib.slices.datasets import PairedSlices, UnpairedSlices, batches
from pipeline_lib.training.average import WeightAverage
from pipeline_lib.training.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from pipeline_lib.training.journal import Journal
from pipeline_lib.training.machine import Machine
from pipeline_lib.training.method import Method, Phase
from pipeline_lib.training.ownership import Ownership
from pipeline_lib.training.processes import Processes
from pipeline_lib.training.progress import Progress
from pipeline_lib.training.settings import LoopSettings
from pipeline_lib.training.signals import stop_requests, unheard_by_children
from pipeline_lib.training.validation import Validation

log = logging.getLogger(__name__)


class Training:
    """One training, from its first step or its last checkpoint to its end.

    Parameters
    ----------
    method
        The networks and their losses, freshly built and on the machine.
    dataset
        Of the training patients.
    validation
        By which the best weights are chosen; `None` keeps the last.
    settings
        See `LoopSettings`.
    seed
        Of everything random in the steps.
    checkpoint
        Where the training is kept.
    machine
        Device and precision.
    processes
        Those that train together.
    """

    def __init__(
        self,
        method: Method,
        dataset: PairedSlices | UnpairedSlices,
        validation: Validation | None,
        settings: LoopSettings,
        seed: int,
        checkpoint: Checkpoint,
        machine: Machine,
        processes: Processes,
    ) -> None:
        self.method = method
        self.dataset = dataset
        self.validation = validation
        self.settings = settings
        self.seed = seed
        self.checkpoint = checkpoint
        self.machine = machine
        self.processes = processes
        self.progress = Progress()
        self.journal = Journal(checkpoint.losses, processes.is_first)
        self.average = WeightAverage(method.model, settings.average)
        self.best: dict[str, Tensor] = {}
        self._ownership: Ownership | None = None

    def run(self) -> dict[str, dict[str, Tensor]]:
        """Train to the end and give the weights of each network.

        They are those of the best validation, or without validation patients the last.

        Every step is a function of the seed, its number and the weights before it, so a training
        that was stopped at any moment and started again ends in the same weights (on a CPU with
        the same number of threads, to the last bit). SIGTERM and SIGINT end it with a checkpoint.
        Of several processes the first one owns the checkpoint; the others read it after that.

        Raises
        ------
        InputError
            If a loss is no longer finite, or another process trains on this checkpoint.
        SystemExit
            After a signal.
        """
        with self.checkpoint.locked(self.processes.is_first) as self._ownership:
            self.processes.meet()
            with stop_requests() as requests:
                self._resume()
                self._started = self._saved = time.monotonic()
                while self.progress.phase < len(self.method.phases):
                    self._run_phase(self.method.phases[self.progress.phase], requests)
                    self.progress.phase += 1
                    self.progress.phase_start = self.progress.step
                    self.progress.without_better = 0
                    self._save()
        with self.average.applied():
            weights = self.best or {name: value.clone() for name, value in self._weights().items()}
        return {name: _within(f"{name}.", weights) for name in self.method.networks()}

    def _run_phase(self, phase: Phase, requests: list[int]) -> None:
        progress, settings, processes = self.progress, self.settings, self.processes
        end = progress.phase_start + phase.steps
        with unheard_by_children():
            loader = batches(
                self.dataset, progress.step, end, settings.batch_size, settings.workers,
                processes.rank, processes.count,
            )  # fmt: skip
        for batch in loader:
            torch.manual_seed(_seed_of_step(self.seed, progress.step, processes.rank))
            in_phase = progress.step - progress.phase_start
            self._step(phase.name, in_phase, batch.to(self.machine.device))
            progress.step += 1
            in_phase += 1
            last = progress.step == end
            if in_phase % settings.log_every == 0 or last:
                last |= processes.any(self._log(phase, in_phase))
            if phase.selects and (in_phase % settings.validate_every == 0 or last):
                last |= processes.any(self._validate(phase.name))
            if last:
                return
            stop = processes.any(bool(requests))
            if stop or time.monotonic() - self._saved > settings.checkpoint_seconds:
                self._save()
            if stop:
                log.info("stopped by a signal at step %d, to be resumed", progress.step)
                raise SystemExit(128 + (requests or [15])[0])

    def _step(self, phase: str, in_phase: int, batch: Batch) -> None:
        parts = batch.split(self.settings.accumulate)
        values: dict[str, Tensor] = {}
        for update in self.method.updates(phase, in_phase):
            update.optimizer.zero_grad(set_to_none=True)
            for part in parts:
                loss, named = update.losses(part)
                (loss / len(parts)).backward()
                for name, value in named.items():
                    values[name] = values.get(name, 0) + value.detach() / len(parts)
            groups = update.optimizer.param_groups
            self.processes.average_gradients(
                weight for group in groups for weight in group["params"]
            )
            for group in groups:
                group["lr"] = update.rate
            update.optimizer.step()
        self.processes.share_buffers(self.method.networks().values())
        self.average.update()
        self.progress.add(values)

    def _log(self, phase: Phase, step: int) -> bool:
        means = self.processes.mean(self.progress.means())
        self.journal.record(phase.name, self.progress.step, self._seconds(), means)
        self.journal.show(phase.name, step, phase.steps, self._seconds(), means)
        unusable = [name for name, value in means.items() if not np.isfinite(value)]
        if unusable:
            raise InputError(
                f"{unusable[0]} of {phase.name} is no longer finite at step {step}; "
                "train with a lower learning_rate."
            )
        return self.method.is_reached(phase.name, means)

    def _validate(self, phase: str) -> bool:
        """Keep the weights if they are the best so far; tell whether patience is at its end."""
        if self.validation is None or not self.processes.is_first:
            return False
        progress = self.progress
        with self.average.applied():
            error = self.validation.error(self.method.model, self.machine)
            self.journal.record(phase, progress.step, self._seconds(), {"validation_mse": error})
            progress.without_better += 1
            if progress.best_error is None or error < progress.best_error:
                progress.best_error, progress.best_step = error, progress.step
                progress.without_better = 0
                self.best = {name: value.clone() for name, value in self._weights().items()}
        if 0 < self.settings.patience <= progress.without_better:
            log.info("%s ends: no better validation since step %s", phase, progress.best_step)
            return True
        return False

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
        tensors |= {f"average.{name}": value for name, value in self.average.weights.items()}
        for name, optimizer in self.method.optimizers().items():
            for key, value in optimizer_tensors(optimizer).items():
                tensors[f"optimizer.{name}.{key}"] = value
        return tensors

    def _save(self) -> None:
        if self._ownership is not None:
            self._ownership.confirm()
            self.progress.seconds, self._started = self._seconds(), time.monotonic()
            self.progress.losses_bytes = self.journal.size()
            self.progress.averaged = self.average.updates
            self.checkpoint.save(self._tensors(), self.progress.to_json())
        self._saved = time.monotonic()

    def _resume(self) -> None:
        kept = self.checkpoint.load()
        if kept is None:
            self.journal.start()
            return
        tensors, state = kept
        self.progress = Progress(**state)
        self.best = {
            name: value.to(self.machine.device) for name, value in _within("best.", tensors).items()
        }
        self.average.restore(_within("average.", tensors), self.progress.averaged)
        for network, module in self.method.networks().items():
            module.load_state_dict(_within(f"network.{network}.", tensors))
        for name, optimizer in self.method.optimizers().items():
            restore_optimizer(optimizer, _within(f"optimizer.{name}.", tensors))
        self.journal.cut(self.progress.losses_bytes)
        log.info("resumed at step %d from %s", self.progress.step, self.checkpoint.path)


def _within(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _seed_of_step(seed: int, step: int, process: int) -> int:
    entropy = [seed, step, process] if process else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
