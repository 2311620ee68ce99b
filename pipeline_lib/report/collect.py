"""Reads what a run left under its results folder; what is optional and absent comes back empty."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from pipeline_lib.batches import folders_by_name
from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.files import read_json
from pipeline_lib.quantify.derivatives import read_map
from pipeline_lib.report.patient_values import looked_at
from pipeline_lib.report.request import Dataset, Experiment, Run
from pipeline_lib.slices.store import PatientSlices

METRIC_KEYS = [
    "experiment", "dataset", "model", "fold", "group", "parameters", "patient", "source", "target",
    "region", "metric", "value", "data_range",
]  # fmt: skip
SUMMARY_KEYS = [
    "experiment", "dataset", "model", "source", "target", "region", "metric", "n", "mean", "sd",
    "low", "high",
]  # fmt: skip
GENERALISATION_KEYS = [
    "experiment", "dataset", "model", "group", "parameters", "metric", "n", "mean", "sd", "low",
    "high",
]  # fmt: skip
COMPARISON_KEYS = [
    "experiment", "metric", "first", "second", "n", "difference", "low", "high", "effect", "wins",
    "p", "p_holm",
]  # fmt: skip
MAP_KEYS = [
    "experiment", "model", "fold", "patient", "source", "tissue", "parameter", "n", "mean", "sd",
    "median", "truth",
]  # fmt: skip
DECISION_KEYS = ["images", "sweep", "te", "tr", "class", "share", "chosen"]
TISSUE_KEYS = [
    "dataset", "patient", "tissue", "parameter", "n", "mean", "sd", "median", "truth",
    "bound_relative",
]  # fmt: skip
REGISTRATION_KEYS = [
    "session", "contrast", "transform", "residual_mm", "residual_p95_mm", "residual_kind",
]  # fmt: skip
BIAS_KEYS = ["session", "contrast", "tissue", "n", "cv_raw", "cv_corrected"]
SPLIT_KEYS = ["fold", "patient", "anatomy", "split", "slice", "contrast"]
LOSS_KEYS = ["phase", "step", "seconds", "name", "value"]
TIME_KEYS = ["contrast", "sequence", "te", "tr", "ti", "te_last", "shape", "spacing", "session"]
ROWS_AT_ONCE = 2**16
TABLES_AT_ONCE = 200
TEXT = frozenset(
    [
        "experiment", "dataset", "model", "patient", "session", "anatomy", "source", "target",
        "region", "metric", "contrast", "tissue", "parameter", "split", "phase", "name", "slice",
        "group", "parameters", "first", "second", "images", "sweep", "class",
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Training:
    """What one training left: its card and its losses (columns phase, step, seconds, ...)."""

    run: Run
    fold: int
    card: dict[str, Any]
    losses: pd.DataFrame


@dataclass(frozen=True)
class Evaluated:
    """The tables of the stage `evaluation`.

    Attributes
    ----------
    summary, external
        Means over held-out patients, and over those of another dataset, with their intervals;
        columns `SUMMARY_KEYS`.
    metrics
        One value a patient and pair, of what the page looks at patient by patient: NRMSE and PSNR
        over the body in the group `test`, and a paper's own formula in all groups (`test`, `seen`,
        `external`). Columns `METRIC_KEYS`, text as categories in alphabetical order.
    generalisation
        Means over patients of seen and unseen anatomy and parameters; columns
        `GENERALISATION_KEYS`.
    comparisons
        Paired comparisons of systems over patients; columns `COMPARISON_KEYS`.
    maps
        Tissue values in the maps that models predict, those of all sources pooled; columns
        `MAP_KEYS`, times in seconds.
    tissues
        Least-squares values a patient and tissue; columns `TISSUE_KEYS`, times in seconds.
    """

    summary: pd.DataFrame
    metrics: pd.DataFrame
    external: pd.DataFrame
    generalisation: pd.DataFrame
    comparisons: pd.DataFrame
    maps: pd.DataFrame
    tissues: pd.DataFrame

    def of(self, experiment: str) -> "Evaluated":
        """Give the rows of one experiment; of the tissues all, which belong to datasets."""
        own = {
            field.name: table[table["experiment"] == experiment]
            for field in fields(self)
            if "experiment" in (table := getattr(self, field.name))
        }
        return replace(self, **own)

    @property
    def tested(self) -> pd.DataFrame:
        """The metrics of the held-out patients (of a leaked split: images), which are compared."""
        return self.metrics[self.metrics["group"] == "test"]


class Results:
    """The files of a results folder, by the names that the stages gave them."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self._folders: dict[Path, dict[str, Path]] = {}

    def evaluated(self) -> Evaluated:
        """Read all tables of the stage `evaluation`."""
        folder = self.root / "evaluation"
        return Evaluated(
            summary=_table(folder / "summary.csv", SUMMARY_KEYS),
            metrics=_metrics(folder / "metrics.parquet"),
            external=_table(folder / "external.csv", SUMMARY_KEYS),
            generalisation=_table(folder / "generalisation.csv", GENERALISATION_KEYS),
            comparisons=_table(folder / "comparisons.csv", COMPARISON_KEYS),
            maps=_table(folder / "maps.csv", MAP_KEYS, {"source": "all"}),
            tissues=_table(folder / "tissues.csv", TISSUE_KEYS),
        )

    def decisions(self, experiment: Experiment, model: str) -> pd.DataFrame:
        """How patches of a contrast are classified over TE and TR, all folds of a model.

        Columns `fold` and `DECISION_KEYS`, times in seconds.
        """
        paths = [
            (fold, self.root / f"decide/{experiment.name}/{model}/fold-{fold}.csv")
            for fold in range(experiment.folds)
        ]
        tables = [
            _table(path, DECISION_KEYS).assign(fold=fold) for fold, path in paths if path.exists()
        ]
        joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
        return joined.reindex(columns=["fold", *DECISION_KEYS])

    def split(self, experiment: Experiment) -> pd.DataFrame:
        """Which patient is in which split of each fold; columns `SPLIT_KEYS`."""
        return _table(self.root / f"split/{experiment.name}.csv", SPLIT_KEYS)

    def sequences(self, dataset: Dataset) -> pd.DataFrame:
        """One row a session and contrast, as checked: columns `TIME_KEYS`, times in seconds."""
        rows = [
            {**values, "contrast": contrast, "session": session}
            for session in dataset.sessions
            for contrast, values in self._json(
                "check_scans", dataset, session, "scans.json"
            ).items()
        ]
        return pd.DataFrame(rows).reindex(columns=TIME_KEYS)

    def registrations(self, dataset: Dataset) -> pd.DataFrame:
        """One row a session and contrast; columns `REGISTRATION_KEYS`, residuals in mm."""
        rows = [
            {**values, "contrast": contrast, "session": session}
            for session in dataset.sessions
            for contrast, values in self._json(
                "quality", dataset, session, "registration.json"
            ).items()
        ]
        return pd.DataFrame(rows).reindex(columns=REGISTRATION_KEYS)

    def bias(self, dataset: Dataset) -> pd.DataFrame:
        """Coefficients of variation before and after correction; columns `BIAS_KEYS`."""
        tables = (
            _table(path, BIAS_KEYS[1:]).assign(session=session)
            for session in dataset.sessions
            if (path := self._folder("quality", dataset, session) / "bias.csv").exists()
        )
        # A small table takes far more memory than its numbers.
        parts = iter(lambda: list(islice(tables, TABLES_AT_ONCE)), [])
        joined = [pd.concat(part, ignore_index=True) for part in parts]
        table = pd.concat(joined, ignore_index=True) if joined else pd.DataFrame()
        return table.reindex(columns=BIAS_KEYS)

    def picture(self, stage: str, dataset: Dataset, session: str) -> Path | None:
        """Path of the picture of what a stage did with a session, if it is there."""
        path = self._folder("quality", dataset, session) / f"{stage}.png"
        return path if path.exists() else None

    def trainings(self, experiment: Experiment) -> Iterator[Training]:
        """Cards and losses of all models, their runs and folds, in that order."""
        for model in experiment.models:
            for run in experiment.runs(model):
                for fold in range(experiment.folds):
                    folder = self.root / f"train/{experiment.name}/{run.folder}/fold-{fold}"
                    if folder.exists():
                        losses = _table(folder / "losses.csv", LOSS_KEYS)
                        card = _json_or_empty(folder / "card.json")
                        yield Training(run, fold, card, losses)

    def predictions(self, experiment: Experiment, model: str, fold: int) -> list[Predictions]:
        """Predictions of a model for the test patients of a fold, those of its runs that exist."""
        folders = (
            self.root / f"predict/{experiment.name}/{run.folder}/fold-{fold}"
            for run in experiment.runs(model)
        )
        return [Predictions(folder) for folder in folders if folder.exists()]

    def slices(self, dataset: Dataset, patient: str) -> PatientSlices | None:
        """Open the slices of a patient, if they are there."""
        folder = self._folder("slices", dataset, patient)
        return PatientSlices.open(folder) if folder.exists() else None

    def fitted_maps(
        self, dataset: Dataset, slices: PatientSlices, names: Iterable[str]
    ) -> dict[str, np.ndarray]:
        """Fitted maps of a patient by name, each [slice, row, column]; empty where none are.

        Parameters
        ----------
        dataset
            Of the patient.
        slices
            Of the patient.
        names
            `T1`, `T1_bound`, `flag`, ...: those of `pipeline_lib.quantify.derivatives.NAMES`.
        """
        folder = self._folder("fit_maps", dataset, slices.patient)
        if not folder.exists():
            return {}
        return {name: read_map(folder, slices, name) for name in names}

    def _json(self, stage: str, dataset: Dataset, session: str, name: str) -> dict[str, Any]:
        return _json_or_empty(self._folder(stage, dataset, session) / name)

    def _folder(self, stage: str, dataset: Dataset, name: str) -> Path:
        """Folder of a stage's patient or session, in a batch or not, whether it exists or not."""
        of_stage = self.root / stage / dataset.name
        if of_stage not in self._folders:
            self._folders[of_stage] = folders_by_name(of_stage)
        return self._folders[of_stage].get(name, of_stage / name)


def _json_or_empty(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}


def _metrics(path: Path) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(columns=METRIC_KEYS)
    _with_columns(pd.DataFrame(columns=pq.read_schema(path).names), path, METRIC_KEYS)
    return looked_at(path, METRIC_KEYS)


def _table(path: Path, columns: list[str], wanted: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a CSV; of many rows those alone that have these values in these columns."""
    if not path.exists():
        return pd.DataFrame(columns=columns)
    numbers = [name for name in columns if name not in TEXT]
    try:
        # Names stay text: a patient may be called 001, a tissue NA.
        pieces = pd.read_csv(
            path,
            chunksize=ROWS_AT_ONCE,
            dtype={name: str for name in columns if name in TEXT},
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in numbers},
        )
        with pieces:
            kept = [_having(_with_columns(piece, path, columns), wanted or {}) for piece in pieces]
        table = pd.concat(kept, ignore_index=True)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no table ({error}); delete it and run again.") from None
    return table


def _having(table: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def _with_columns(table: pd.DataFrame, path: Path, columns: list[str]) -> pd.DataFrame:
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(f"{path} lacks the column {missing[0]}; delete it and run again.")
    return table
