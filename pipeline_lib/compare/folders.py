"""Results folders, read without their images: what was set, what ran, what came out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json


@dataclass(frozen=True)
class Kind:
    """A table of the evaluation.

    Attributes
    ----------
    keys
        Columns that name a row; a table of an older run may lack some.
    main
        The column that a reader looks at first.
    """

    keys: tuple[str, ...]
    main: str


_SUMMARY = Kind(
    ("experiment", "dataset", "model", "source", "target", "region", "metric"), main="mean"
)
KINDS = {
    "summary.csv": _SUMMARY,
    "external.csv": _SUMMARY,
    "generalisation.csv": Kind(
        ("experiment", "dataset", "model", "group", "parameters", "metric"), main="mean"
    ),
    "comparisons.csv": Kind(("experiment", "metric", "first", "second"), main="difference"),
    "tissues.csv": Kind(("dataset", "patient", "tissue", "parameter"), main="mean"),
    "maps.csv": Kind(
        ("experiment", "model", "fold", "patient", "source", "tissue", "parameter"), main="mean"
    ),
    "metrics.parquet": Kind(
        (
            "experiment", "dataset", "model", "fold", "group", "patient", "source", "target",
            "region", "metric",
        ),
        main="value",
    ),
}  # fmt: skip
# What differs between any two runs, and what their commits tell already.
OF_EACH_RUN = ("started", "ended", "outcome", "rules")
SPLIT_COLUMNS = ("fold", "patient", "split")


@dataclass(frozen=True)
class Folder:
    """What a results folder says of itself.

    Attributes
    ----------
    configuration
        The resolved configuration; `None` where the run didn't record it.
    origin
        Commit, versions, machine: where the results came from, by dotted names.
    splits
        Experiment -> table of its split.
    files
        Names of the files of the evaluation.
    tables
        Those of them that are named in `KINDS`; the keys hold text, `fold` too.
    """

    path: Path
    configuration: Mapping[str, Any] | None
    origin: Mapping[str, Any]
    splits: Mapping[str, pd.DataFrame]
    files: tuple[str, ...]
    tables: Mapping[str, pd.DataFrame]


def find_results(path: Path) -> Path:
    """Give the results folder that a path is or holds.

    Raises
    ------
    InputError
        If it is neither.
    """
    for folder in (path, path / "results"):
        if (folder / "run.json").is_file() or (folder / "evaluation").is_dir():
            return folder
    wrong = "is no results folder and holds none" if path.is_dir() else "is no folder"
    raise InputError(
        f"{path} {wrong}; name a folder with run.json or evaluation/ in it, as the workflow makes."
    )


def read_folder(path: Path) -> Folder:
    """Read a results folder, or the one in the folder `path`.

    Raises
    ------
    InputError
        If there is none, or a file in it can't be read.
    """
    path = find_results(path)
    run_file = path / "run.json"
    run = read_json(run_file) if run_file.is_file() else {}
    if not isinstance(run, dict):
        raise InputError(f"{run_file} holds no settings; run the workflow again.")
    configuration = run.pop("configuration", None)
    for name in OF_EACH_RUN:
        run.pop(name, None)
    evaluation = path / "evaluation"
    files = sorted(file.name for file in evaluation.iterdir()) if evaluation.is_dir() else []
    return Folder(
        path=path,
        configuration=configuration,
        origin=run | _trainings(path / "train"),
        splits={file.stem: _read_split(file) for file in sorted(path.glob("split/*.csv"))},
        files=tuple(files),
        tables={
            name: _read_table(evaluation / name, KINDS[name]) for name in KINDS if name in files
        },
    )


def _trainings(folder: Path) -> dict[str, str]:
    """Say what the models were trained on and with, as their cards tell it."""
    cards = [read_json(path) for path in sorted(folder.glob("*/*/fold-*/card.json"))]
    facts = {"commit": "commits", "torch": "torch", "machine": "machines"}
    return {
        f"{name} of the trainings": ", ".join(sorted({str(card[key]) for card in cards}))
        for key, name in facts.items()
        if cards and all(card.get(key) for card in cards)
    }


def _read_split(path: Path) -> pd.DataFrame:
    table = _read_csv(path, dtype=str).fillna("")
    _check_columns(path, table, SPLIT_COLUMNS)
    return table


def _read_table(path: Path, kind: Kind) -> pd.DataFrame:
    if path.suffix == ".csv":
        table = _read_csv(path, dtype=dict.fromkeys(kind.keys, str))
    else:
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} is no Parquet file ({error}); run the stage evaluation again."
            ) from None
    if path.name == "metrics.parquet" and "group" not in table:
        table = table.assign(group="test")  # what older runs tested alone
    _check_columns(path, table, {*kind.keys, kind.main})
    keys = list(kind.keys)
    if table.duplicated(keys).any():
        twice = ", ".join(map(str, table.loc[table.duplicated(keys), keys].iloc[0]))
        raise InputError(f"{path} holds two rows of {twice}; run the stage evaluation again.")
    return table.astype(dict.fromkeys(keys, str)).fillna(dict.fromkeys(keys, ""))


def _read_csv(path: Path, **options: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(path, **options)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table ({error}); run the workflow again.") from None


def _check_columns(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    lacking = sorted(set(columns) - set(table.columns))
    if lacking:
        raise InputError(
            f"{path} lacks the column {lacking[0]}; it is no table of this workflow: run it again."
        )
