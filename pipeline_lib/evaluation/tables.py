"""The one tidy table that all results go into."""

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Series
from pathlib import Path

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.scoring import Score
from pipeline_lib.quantify.tables import COLUMNS as TISSUE_COLUMNS

KEYS = [
    "experiment",
    "dataset",
    "model",
    "fold",
    "patient",
    "source",
    "target",
    "region",
    "metric",
]
COLUMNS = [*KEYS, "value", "data_range"]


def metrics_table(
    scores: Iterable[Score], experiment: str, dataset: str, model: str, fold: int
) -> pd.DataFrame:
    """Make the part of the table that one model and fold fill.

    `data_range` is R of the target's contrast, which PSNR and SSIM were computed with.
    """
    table = pd.DataFrame(scores, columns=list(Score._fields))
    return table.assign(experiment=experiment, dataset=dataset, model=model, fold=fold)[COLUMNS]


def merged(parts: Series[Path]) -> pd.DataFrame:
    """Read all parts into one table.

    Raises
    ------
    InputError
        If a part can't be read or has other columns, a value occurs twice (a patient who was
        tested in two folds among them), or a model lacks a pair that its rivals have.
    """
    tables = [_read(path) for path in parts]
    metrics = pd.concat(tables, ignore_index=True)
    twice = metrics.duplicated([key for key in KEYS if key != "fold"])
    if twice.any():
        first = metrics[twice].iloc[0]
        raise InputError(
            f"{first['patient']} was tested twice with {first['model']} of {first['experiment']} "
            f"(again in fold {first['fold']}); a patient is in the test of one fold only: delete "
            "results/evaluate of an earlier split."
        )
    _check_pairs(metrics)
    return metrics


def _check_pairs(metrics: pd.DataFrame) -> None:
    """Refuse a model that would be averaged over other pairs than the rest of its experiment."""
    found = metrics[["experiment", "model", "fold", "source", "target"]].drop_duplicates()
    for experiment, rows in found.groupby("experiment", sort=False):
        pairs = dict.fromkeys(zip(rows["source"], rows["target"], strict=True))
        for (model, fold), part in rows.groupby(["model", "fold"], sort=False):
            held = set(zip(part["source"], part["target"], strict=True))
            for source, target in pairs:
                if (source, target) not in held:
                    raise InputError(
                        f"{model} of {experiment} was not tested on {source} → {target} in fold "
                        f"{fold}, as others of the experiment were; evaluate it on that pair too."
                    )


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the evaluation of that model first.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no Parquet file ({error}); delete it and run again.") from None
    if list(table.columns) != COLUMNS:
        raise InputError(
            f"{path} has the columns {', '.join(table.columns)} instead of {', '.join(COLUMNS)}; "
            "delete it and run again."
        )
    return table


def merged_tissues(folders: Mapping[Path, str]) -> pd.DataFrame:
    """Read the tissue tables of all patients, with their dataset as the first column.

    Parameters
    ----------
    folders
        Dataset of each folder that holds a `tissues.csv`.

    Raises
    ------
    InputError
        If a table is missing.
    """
    tables = []
    for folder, dataset in folders.items():
        path = folder / "tissues.csv"
        try:
            table = pd.read_csv(path, dtype={"patient": str})
        except FileNotFoundError:
            raise InputError(f"{path} is missing; run the stage fit_maps first.") from None
        table.insert(0, "dataset", dataset)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=["dataset", *TISSUE_COLUMNS])
    return pd.concat(tables, ignore_index=True)
