"""The one tidy table that all results go into."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as Series
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.pairs import Score
from pipeline_lib.evaluation.predicted_maps import COLUMNS as MAP_COLUMNS
from pipeline_lib.quantify.tables import COLUMNS as TISSUE_COLUMNS

KEYS = [
    "experiment",
    "dataset",
    "model",
    "fold",
    "group",
    "parameters",
    "patient",
    "source",
    "target",
    "region",
    "metric",
]
COLUMNS = [*KEYS, "value", "data_range"]
GROUPS = ("test", "seen", "external")


def metrics_table(
    scores: Iterable[Score],
    experiment: str,
    dataset: str,
    model: str,
    fold: int,
    group: str,
    unseen: Collection[str],
) -> pd.DataFrame:
    """Make the part of the table that one model, fold and group of patients fill.

    Parameters
    ----------
    scores
        Of all patients of the group.
    experiment, dataset, model, fold
        What was tested.
    group
        `test`: held-out patients (of a leaked split: held-out images); `seen`: training patients,
        tested as well; `external`: patients of another dataset.
    unseen
        Names of the contrasts that no training image had: `parameters` is `unseen` where the
        source or the target is one of them, `seen` elsewhere.

    Returns
    -------
        The columns `COLUMNS`. `data_range` is R of the target's contrast, which PSNR and SSIM
        were computed with.
    """
    if group not in GROUPS:
        raise ValueError(f"a group is one of {', '.join(GROUPS)}, not {group!r}")
    table = pd.DataFrame(scores, columns=list(Score._fields))
    unknown = table["source"].isin(unseen) | table["target"].isin(unseen)
    return table.assign(
        experiment=experiment,
        dataset=dataset,
        model=model,
        fold=fold,
        group=group,
        parameters=np.where(unknown, "unseen", "seen"),
    )[COLUMNS]


def merged(parts: Series[Path]) -> pd.DataFrame:
    """Read all parts into one table.

    Raises
    ------
    InputError
        If a part can't be read or has other columns, a value occurs twice (a patient who was
        in the test of two folds among them; seen and external patients may be in several), or a
        model lacks a pair that its rivals have.
    """
    tables = [_read(path) for path in parts]
    metrics = pd.concat(tables, ignore_index=True)
    held_out = metrics["group"] == "test"
    # One fold for all that were held out, so that a second one is a duplicate.
    twice = metrics.assign(fold=metrics["fold"].mask(held_out, -1)).duplicated(KEYS)
    if twice.any():
        first = metrics[twice].iloc[0]
        remedy = (
            "a patient is in the test of one fold only: delete results/evaluate of an earlier split"
            if first["group"] == "test"
            else "give each part of the results once"
        )
        raise InputError(
            f"{first['patient']} was tested twice with {first['model']} of {first['experiment']} "
            f"(again in fold {first['fold']}); {remedy}."
        )
    _check_pairs(metrics)
    return metrics


def _check_pairs(metrics: pd.DataFrame) -> None:
    """Refuse a model that would be averaged over other pairs than the rest of its experiment."""
    columns = ["experiment", "group", "model", "fold", "source", "target"]
    found = metrics[columns].drop_duplicates()
    for (experiment, _), rows in found.groupby(["experiment", "group"], sort=False):
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


def merged_maps(paths: Iterable[Path]) -> pd.DataFrame:
    """Read the tables of tissue values in the maps that models predict.

    Raises
    ------
    InputError
        If a table is missing or has other columns than `predicted_maps.COLUMNS`.
    """
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, dtype={"patient": str})
        except FileNotFoundError:
            raise InputError(f"{path} is missing; run the stage map_tissues first.") from None
        if tuple(table.columns) != MAP_COLUMNS:
            raise InputError(
                f"{path} has the columns {', '.join(table.columns)} instead of "
                f"{', '.join(MAP_COLUMNS)}; delete it and run again."
            )
        tables.append(table)
    return (
        pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(MAP_COLUMNS))
    )
