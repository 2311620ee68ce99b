"""What the page looks at patient by patient, out of a table that is larger than memory."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def looked_at(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read NRMSE and PSNR over the body of the test, and what papers' own formulas gave.

    Parameters
    ----------
    path
        Table of metrics, Parquet; it is read group by group.
    columns
        To read.

    Returns
    -------
        Text comes as categories in alphabetical order, the same ones for source and target: a row
        takes some 35 bytes.
    """
    schema = pa.schema([pq.read_schema(path).field(name) for name in columns])
    text = [field.name for field in schema if _is_text(field.type)]
    with pq.ParquetFile(path, read_dictionary=text) as file:
        groups = (file.read_row_group(n, list(columns)) for n in range(file.num_row_groups))
        chosen = [_chosen(group) for group in groups]
    table = pa.concat_tables(chosen).to_pandas() if chosen else schema.empty_table().to_pandas()
    names = {name: sorted(set(table[name])) for name in text}
    names["source"] = names["target"] = sorted({*names["source"], *names["target"]})
    return table.astype({name: pd.CategoricalDtype(of) for name, of in names.items()})


def _chosen(rows: pa.Table) -> pa.Table:
    compared = pc.and_(
        pc.and_(pc.equal(rows["group"], "test"), pc.equal(rows["region"], "body")),
        pc.is_in(rows["metric"].cast(pa.string()), pa.array(["nrmse", "psnr"])),
    )
    return rows.filter(pc.or_(compared, pc.equal(rows["region"], "paper")))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
