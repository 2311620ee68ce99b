"""What ran in one folder and not in the other: experiments, models, folds, patients, files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from pipeline_lib.compare.folders import Folder

# What an experiment consists of, as its rows of the summary tell it.
PARTS = {
    "dataset": ["dataset"],
    "model": ["model"],
    "pair": ["source", "target"],
    "region": ["region"],
    "metric": ["metric"],
}


@dataclass(frozen=True)
class OnlyIn:
    """Things of one kind that only one of the folders holds.

    Attributes
    ----------
    kind
        What they are: file, column, experiment, model, fold, patient, ...
    place
        Which experiment, table or split they belong to; empty for files and experiments.
    names
        Their names.
    side
        `A` or `B`: who has them.
    """

    kind: str
    place: str
    names: tuple[str, ...]
    side: str


def what_ran(first: Folder, second: Folder) -> list[OnlyIn]:
    """Give what only one of the folders holds.

    What a folder doesn't tell at all (no split tables) is not compared.
    """
    found = list(_only_in("file", "", first.files, second.files))
    for name, table in first.tables.items():
        if name in second.tables:
            found += _only_in("column", name, table.columns, second.tables[name].columns)
    found += _evaluated(first, second)
    if first.splits and second.splits:
        found += _split(first, second)
    return found


def _evaluated(first: Folder, second: Folder) -> Iterator[OnlyIn]:
    tables = [folder.tables.get("summary.csv") for folder in (first, second)]
    one, other = tables
    if one is None or other is None:
        return
    yield from _only_in("experiment", "", one["experiment"], other["experiment"])
    for experiment in one["experiment"].unique():
        rows = [table[table["experiment"] == experiment] for table in (one, other)]
        if rows[1].empty:
            continue
        for kind, columns in PARTS.items():
            yield from _only_in(kind, experiment, *(_labels(part, columns) for part in rows))


def _labels(rows: pd.DataFrame, columns: list[str]) -> list[str]:
    return [" → ".join(names) for names in rows[columns].drop_duplicates().to_numpy()]


def _split(first: Folder, second: Folder) -> Iterator[OnlyIn]:
    yield from _only_in("split table", "", first.splits, second.splits)
    for experiment, table in first.splits.items():
        if experiment not in second.splits:
            continue
        other = second.splits[experiment]
        yield from _only_in("fold", experiment, table["fold"], other["fold"])
        parts = [dict(list(part.groupby(["fold", "split"]))) for part in (table, other)]
        for fold, name in dict.fromkeys([*parts[0], *parts[1]]):
            if fold in set(table["fold"]) & set(other["fold"]):
                held = [_held(part.get((fold, name))) for part in parts]
                yield from _only_in("patient", f"{name} of {experiment}, fold {fold}", *held)


def _held(rows: pd.DataFrame | None) -> list[str]:
    """Patients of a part of a split; with slice and contrast where these were split."""
    if rows is None:
        return []
    columns = [name for name in ("patient", "slice", "contrast") if name in rows]
    return [" ".join(name for name in names if name) for names in rows[columns].to_numpy()]


def _only_in(
    kind: str, place: str, first: Iterable[str], second: Iterable[str]
) -> Iterator[OnlyIn]:
    one, other = dict.fromkeys(first), dict.fromkeys(second)
    for side, names in (
        ("A", [n for n in one if n not in other]),
        ("B", [n for n in other if n not in one]),
    ):
        if names:
            yield OnlyIn(kind, place, tuple(names), side)
