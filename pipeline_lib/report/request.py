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
# What of a patient is in training and test alike, by the unit of a leaked split.
LEAKED_UNITS = {"image": "images", "slice": "slices"}
# More pairs than this are counted, not named.
FEW_PAIRS = 4


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
class Run:
    """One network of each fold: of a model, for all pairs or for a single one.

    Attributes
    ----------
    folder
        Its folder within those of the experiment under `train` and `predict`.
    label
        What it is called on the page.
    """

    model: str
    folder: str
    label: str


@dataclass(frozen=True)
class Experiment:
    """One experiment: a dataset, its number of folds, its models, and what they predict.

    Attributes
    ----------
    models
        Names, in the order of the configuration.
    pairs
        Source and target of all that was predicted.
    one_pair
        The models that know one pair only, so that each was trained once a pair.
    paper
        Key of the paper whose experiment it is; None where it is none's.
    unseen
        Contrasts that no training image has: the parameters that a model has to extrapolate to.
    leaked
        Unit of a split that puts one patient in training and test alike: `image` (one slice in one
        contrast) or `slice`; None for an honest split, of patients.
    external
        Names of other datasets, whose patients were predicted and scored too.
    seen
        Number of training patients that were predicted and scored too.
    """

    name: str
    dataset: Dataset
    folds: int
    models: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    one_pair: frozenset[str]
    paper: str | None = None
    unseen: tuple[str, ...] = ()
    leaked: str | None = None
    external: tuple[str, ...] = ()
    seen: int = 0

    def runs(self, model: str) -> tuple[Run, ...]:
        """Name what was trained in each fold for a model: one network, or one a pair."""
        if model not in self.one_pair:
            return (Run(model, model, model),)
        return tuple(
            Run(model, f"{model}.{source}.{target}", f"{model} {source} → {target}")
            for source, target in self.pairs
        )

    @property
    def transfers(self) -> tuple[tuple[str, str], ...]:
        """The pairs of two different contrasts."""
        return tuple(pair for pair in self.pairs if pair[0] != pair[1])

    @property
    def leaked_words(self) -> str:
        """Warn of a leaked split; empty for an honest one."""
        if self.leaked is None:
            return ""
        return (
            f"leaked split: {self.unit_words} of the same patient are "
            "in training and test; shown because the paper did it; not evidence of generalisation"
        )

    @property
    def unit_words(self) -> str:
        """Say what the split puts in training and test: patients, or parts of them."""
        return "patients" if self.leaked is None else LEAKED_UNITS.get(self.leaked, self.leaked)

    @property
    def possible(self) -> int:
        """Number of pairs of two different contrasts that the dataset has."""
        count = len(self.dataset.contrasts)
        return count * (count - 1)

    @property
    def pair_words(self) -> str:
        """Say what is predicted from what."""
        if len(self.transfers) == self.possible:
            return f"{len(self.dataset.contrasts)} contrasts, each from every other"
        if len(self.pairs) <= FEW_PAIRS:
            return ", ".join(f"{source} → {target}" for source, target in self.pairs)
        return f"{len(self.transfers)} of the {self.possible} pairs of its contrasts"


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
    rules
        Code, cores and GPUs of each rule; see `runs.allotted`.
    configuration
        The whole resolved configuration.
    """

    seed: int
    commit: str | None
    dirty: bool
    versions: Mapping[str, str]
    rules: Mapping[str, Mapping[str, Any]]
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
            If a key is missing, or an experiment names a dataset or a contrast that is not there.
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
                _experiment(name, values, datasets)
                for name, values in options["experiments"].items()
            )
            return cls(
                seed=int(options["seed"]),
                commit=options.get("commit"),
                dirty=bool(options.get("dirty")),
                versions=dict(options.get("versions", {})),
                rules=dict(options.get("rules", {})),
                configuration=options["configuration"],
                datasets=tuple(datasets.values()),
                experiments=experiments,
            )
        except KeyError as error:
            raise InputError(
                f"the options of the report lack {error} or name it without describing it; "
                "give it there."
            ) from None


def _experiment(
    name: str, values: Mapping[str, Any], datasets: Mapping[str, Dataset]
) -> Experiment:
    experiment = Experiment(
        name=name,
        dataset=datasets[values["dataset"]],
        folds=int(values["folds"]),
        models=tuple(values["models"]),
        pairs=tuple((source, target) for source, target in values["pairs"]),
        one_pair=frozenset(values.get("one_pair", [])),
        paper=values.get("paper"),
        unseen=tuple(values.get("unseen") or ()),
        leaked=values.get("leaked"),
        external=tuple(values.get("external") or ()),
        seen=int(values.get("seen") or 0),
    )
    unknown = {contrast for pair in experiment.pairs for contrast in pair}
    unknown -= set(experiment.dataset.contrasts)
    if unknown:
        raise InputError(
            f"`pairs` of {name} in the options of the report name {', '.join(sorted(unknown))}, "
            f"which {experiment.dataset.name} has not; correct it there."
        )
    return experiment
