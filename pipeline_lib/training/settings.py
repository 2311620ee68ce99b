"""A model's flat section of the configuration, taken apart into the settings of each part."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from pipeline_lib.errors import InputError
from pipeline_lib.training.machine import Precision
from pipeline_lib.training.processes import Processes

# Settings of every system that change nothing of what is learned.
OF_THE_MACHINE = ("workers", "checkpoint_seconds")
Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], model: Mapping[str, Any]) -> Settings:
    """Make a settings dataclass of the keys of `model` that are its fields.

    Raises
    ------
    InputError
        If one is missing, or the dataclass refuses a value.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    missing = [name for name in names if name not in model]
    if missing:
        raise InputError(f"the model {model.get('name', '')} lacks the setting {missing[0]}")
    return kind(**{name: model[name] for name in names})


@dataclass(frozen=True)
class LoopSettings:
    """What the loop itself is told.

    Attributes
    ----------
    batch_size
        Samples a step, of all processes together.
    accumulate
        Parts that a process's samples of a step are passed in, one after the other: the same
        step (batch normalisation apart) in less memory.
    precision
        Of the convolutions; see `training.machine.this_machine`.
    average
        Decay of the exponential moving average of the weights that is validated and kept; 0: the
        weights themselves.
    log_every, validate_every
        Steps between two lines of log, and between two validations.
    validation_slices
        Slices of each validation patient, at most.
    patience
        Validations without a better one after which a phase ends; 0: it goes on to its last step.
    checkpoint_seconds
        Time between two checkpoints.
    workers
        Processes that read slices; 0 reads in the loop itself.
    """

    batch_size: int
    accumulate: int
    precision: Precision
    average: float
    log_every: int
    validate_every: int
    validation_slices: int
    patience: int
    checkpoint_seconds: float
    workers: int

    def __post_init__(self) -> None:
        if self.batch_size % self.accumulate:
            raise InputError(
                f"batch_size {self.batch_size} can't be passed in {self.accumulate} equal parts; "
                "set accumulate to a divisor of it."
            )

    def check(self, processes: Processes) -> None:
        """Refuse a batch that the processes can't share evenly.

        Raises
        ------
        InputError
            If there is a rest.
        """
        if self.batch_size % (processes.count * self.accumulate):
            raise InputError(
                f"batch_size {self.batch_size} can't be shared by {processes.count} GPUs in "
                f"{self.accumulate} parts each; set batch_size to a multiple of "
                f"{processes.count * self.accumulate}."
            )
