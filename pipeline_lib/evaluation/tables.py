"""The one tidy table that all results go into."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

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
_TEXT = [name for name in KEYS if name != "fold"]
SCHEMA = pa.schema(
    [(name, pa.string() if name in _TEXT else pa.int64()) for name in KEYS]
    + [("value", pa.float64()), ("data_range", pa.float64())]
)
# Rows that are in memory together.
ROWS = 2**16
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


class MetricsFile:
    """A Parquet file of the table of metrics, written in groups of rows.

    Parameters
    ----------
    path
        File to write.
    """

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA)
        self._waiting: list[pd.DataFrame] = []

    def add(self, table: pd.DataFrame) -> None:
        """Take rows with the columns `COLUMNS`, of a patient or of several."""
        self._waiting.append(table)
        if sum(map(len, self._waiting)) >= ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            table = pd.concat(self._waiting, ignore_index=True)
            self._writer.write_table(pa.Table.from_pandas(table, SCHEMA, preserve_index=False))
        self._waiting = []

    def __enter__(self) -> "MetricsFile":
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self._flush()
        self._writer.close()


def tissue_tables(folders: Mapping[Path, str]) -> Iterator[pd.DataFrame]:
    """Read the tissue tables of all patients one by one, with their dataset as the first column.

    Parameters
    ----------
    folders
        Dataset of each folder that holds a `tissues.csv`.

    Raises
    ------
    InputError
        If a table is missing.
    """
    yield pd.DataFrame(columns=["dataset", *TISSUE_COLUMNS])
    for folder, dataset in folders.items():
        path = folder / "tissues.csv"
        try:
            table = pd.read_csv(path, dtype={"patient": str})
        except FileNotFoundError:
            raise InputError(f"{path} is missing; run the stage fit_maps first.") from None
        table.insert(0, "dataset", dataset)
        yield table


def map_tables(paths: Iterable[Path]) -> Iterator[pd.DataFrame]:
    """Read the tables of tissue values in the maps that models predict, piece by piece.

    Raises
    ------
    InputError
        If a table is missing or has other columns than `predicted_maps.COLUMNS`.
    """
    yield pd.DataFrame(columns=list(MAP_COLUMNS))
    for path in paths:
        try:
            pieces = pd.read_csv(path, dtype={"patient": str}, chunksize=ROWS)
        except FileNotFoundError:
            raise InputError(f"{path} is missing; run the stage map_tissues first.") from None
        with pieces:
            for table in pieces:
                if tuple(table.columns) != MAP_COLUMNS:
                    raise InputError(
                        f"{path} has the columns {', '.join(table.columns)} instead of "
                        f"{', '.join(MAP_COLUMNS)}; delete it and run again."
                    )
                yield table


def write_pieces(path: Path, pieces: Iterable[pd.DataFrame]) -> None:
    """Write tables below each other as one CSV; the first that has rows names the columns."""
    empty, begun = None, False
    with path.open("w", newline="") as file:
        for piece in pieces:
            if piece.empty:
                empty = piece
                continue
            piece.to_csv(file, index=False, header=not begun)
            begun = True
        if not begun and empty is not None:
            empty.to_csv(file, index=False)
