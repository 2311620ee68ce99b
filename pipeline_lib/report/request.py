"""What the report is asked to show: the run's datasets, experiments and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_lib.errors import InputError

KIND_WORDS = {
    "virtual": "virtual patients, simulated by this workflow",
    "bids": "scans from a BIDS folder",
    "dicom": "scans from DICOM folders",
}


@dataclass(frozen=True)
class Dataset:
    """One dataset of the run.

    Attributes
    ----------
    kind
        `virtual`, `bids` or `dicom`.
    sessions
        Session -> patient, in order.
    contrasts
        Names, in the order of the configuration.
    reference
        The contrast that the others are registered to.
    """

    name: str
    kind: str
    sessions: Mapping[str, str]
    contrasts: tuple[str, ...]
    reference: str

    @property
    def patients(self) -> tuple[str, ...]:
        """Patients, each once, in the order of their sessions."""
        return tuple(dict.fromkeys(self.sessions.values()))

    @property
    def kind_words(self) -> str:
        """Where the scans come from, in words."""
        return KIND_WORDS.get(self.kind, self.kind)


@dataclass(frozen=True)
class Experiment:
    """One experiment: a dataset, its number of folds, and the names of its models."""

    name: str
    dataset: Dataset
    folds: int
    models: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """All that the report is told, beside the results folder.

    Attributes
    ----------
    seed
        Of the configuration.
    commit, dirty
        Of the project's repository, if known; dirty where it had changes not committed.
    versions
        Name -> version of what started the run (snakemake, python).
    configuration
        The whole resolved configuration.
    """

    seed: int
    commit: str | None
    dirty: bool
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    datasets: tuple[Dataset, ...]
    experiments: tuple[Experiment, ...]

    def system_of(self, model: str) -> str:
        """System of a model of the configuration, such as `unet`; the model's name if not told."""
        return str(self.configuration.get("models", {}).get(model, {}).get("system", model))

    def settings_of(self, dataset: str) -> Mapping[str, Any]:
        """Section of the configuration on a dataset; empty if it is not told."""
        return self.configuration.get("datasets", {}).get(dataset, {})

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "Request":
        """Read the stage's options.

        Raises
        ------
        InputError
            If a key is missing, or an experiment names a dataset that is not there.
        """
        try:
            datasets = {
                name: Dataset(
                    name=name,
                    kind=values["kind"],
                    sessions=dict(values["sessions"]),
                    contrasts=tuple(values["contrasts"]),
                    reference=values["reference"],
                )
                for name, values in options["datasets"].items()
            }
            experiments = tuple(
                Experiment(
                    name=name,
                    dataset=datasets[values["dataset"]],
                    folds=int(values["folds"]),
                    models=tuple(values["models"]),
                )
                for name, values in options["experiments"].items()
            )
            return cls(
                seed=int(options["seed"]),
                commit=options.get("commit"),
                dirty=bool(options.get("dirty")),
                versions=dict(options.get("versions", {})),
                configuration=options["configuration"],
                datasets=tuple(datasets.values()),
                experiments=experiments,
            )
        except KeyError as error:
            raise InputError(
                f"the options of the report lack {error} or name it without describing it; "
                "give it there."
            ) from None
