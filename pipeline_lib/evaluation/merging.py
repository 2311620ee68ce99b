"""One table of metrics out of the parts of all models, which is never in memory as a whole."""

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Series
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.gathering import SYSTEM, Key
from pipeline_lib.evaluation.tables import COLUMNS, ROWS, SCHEMA

# Of each experiment and group: the pairs of each model and fold.
Pairs = dict[tuple[str, str], dict[tuple[str, str], dict[tuple[str, str], None]]]


def merge(parts: Iterable[Path], parquet: Path, csv: Path) -> dict[Key, list[int]]:
    """Write the rows of all parts below each other, as Parquet and as CSV.

    Returns
    -------
        For each system, in the order in which they first occur, the numbers of the Parquet file's
        groups of rows that it is in.

    Raises
    ------
    InputError
        If a part can't be read or has other columns, or a model lacks a pair that its rivals have.
    """
    systems: dict[Key, list[int]] = {}
    pairs: Pairs = {}
    with pq.ParquetWriter(parquet, SCHEMA) as writer, csv.open("w", newline="") as file:
        pd.DataFrame(columns=COLUMNS).to_csv(file, index=False)
        for number, piece in enumerate(piece for part in parts for piece in _pieces_of(part)):
            writer.write_table(piece)
            piece.to_pandas().to_csv(file, index=False, header=False)
            for system in _distinct(piece, SYSTEM):
                systems.setdefault(system, []).append(number)
            for experiment, group, model, fold, source, target in _distinct(
                piece, ["experiment", "group", "model", "fold", "source", "target"]
            ):
                of_group = pairs.setdefault((experiment, group), {})
                of_group.setdefault((model, fold), {}).setdefault((source, target))
    _check_pairs(pairs)
    return systems


def rows_of(parquet: Path, system: Key, groups: Series[int]) -> Iterator[pd.DataFrame]:
    """Read the rows of one system, piece by piece; text comes as categories.

    Parameters
    ----------
    parquet
        As `merge` wrote it.
    system
        Experiment, dataset and model.
    groups
        Where it is in the file; see `merge`.
    """
    text = [name for name in COLUMNS if SCHEMA.field(name).type == pa.string()]
    with pq.ParquetFile(parquet, read_dictionary=text) as file:
        for number in groups:
            piece = file.read_row_group(number)
            for name, value in zip(SYSTEM, system, strict=True):
                piece = piece.filter(pc.equal(piece[name], value))
            yield piece.to_pandas()


def _pieces_of(path: Path) -> Iterator[pa.Table]:
    """Read a part, so many rows at a time that each can be a group of rows."""
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            if found != COLUMNS:
                raise InputError(
                    f"{path} has the columns {', '.join(found)} instead of {', '.join(COLUMNS)}; "
                    "delete it and run again."
                )
            for batch in file.iter_batches(ROWS):
                yield pa.Table.from_batches([batch]).cast(SCHEMA)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the evaluation of that model first.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no Parquet file ({error}); delete it and run again.") from None


def _distinct(piece: pa.Table, columns: Series[str]) -> Iterator[tuple[str, ...]]:
    """Give the values of some columns that occur together, in the order of their first rows."""
    table = piece.select(columns).to_pandas().drop_duplicates()
    return (tuple(map(str, row)) for row in table.itertuples(index=False, name=None))


def _check_pairs(found: Pairs) -> None:
    """Refuse a model that would be averaged over other pairs than the rest of its experiment."""
    for (experiment, _), of_group in found.items():
        wanted = dict.fromkeys(pair for pairs in of_group.values() for pair in pairs)
        for (model, fold), pairs in of_group.items():
            for source, target in wanted:
                if (source, target) not in pairs:
                    raise InputError(
                        f"{model} of {experiment} was not tested on {source} → {target} in fold "
                        f"{fold}, as others of the experiment were; evaluate it on that pair too."
                    )
