"""A comparison for programs: the whole of it, in what JSON can hold."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from pipeline_lib.compare.comparison import Comparison
from pipeline_lib.compare.numbers import TableComparison
from pipeline_lib.compare.settings import ABSENT, SettingDifference
from pipeline_lib.compare.words import verdict_sentence


def as_mapping(comparison: Comparison) -> dict[str, Any]:
    """Give everything that differs; a number that is not finite is `null`, `"inf"` or `"-inf"`.

    A setting that one folder lacks has no entry `a` or `b`.
    """
    settings = comparison.settings
    return {
        "verdict": comparison.verdict,
        "sentence": verdict_sentence(comparison),
        "a": str(comparison.first.path),
        "b": str(comparison.second.path),
        "tolerance": comparison.tolerance,
        "settings": None if settings is None else [_setting(found) for found in settings],
        "origin": [_setting(found) for found in comparison.origin],
        "ran": [_plain(asdict(found)) for found in comparison.ran],
        "tables": {name: _table(table) for name, table in comparison.tables.items()},
        "pooled": _records(comparison.pooled),
        "paired": _records(comparison.paired),
    }


def _setting(found: SettingDifference) -> dict[str, Any]:
    values = {"a": found.first, "b": found.second}
    known = {side: _plain(value) for side, value in values.items() if value is not ABSENT}
    return {"name": found.name, **known}


def _table(table: TableComparison) -> dict[str, Any]:
    return {
        "rows": table.rows,
        "only_a": table.only_first,
        "only_b": table.only_second,
        "values": table.values,
        "columns": table.columns,
        "differences": _records(table.differences),
    }


def _records(table: pd.DataFrame | None) -> list[Any] | None:
    # Through `object`, so that NumPy's numbers become Python's.
    return None if table is None else _plain(table.astype(object).to_dict("records"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
