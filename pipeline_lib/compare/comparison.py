"""Two results folders and all that differs between them."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline_lib.compare.folders import KINDS, Folder
from pipeline_lib.compare.numbers import (
    TableComparison,
    compare_tables,
    paired_patients,
    pooled_systems,
)
from pipeline_lib.compare.ran import OnlyIn, what_ran
from pipeline_lib.compare.settings import SettingDifference, setting_differences

Verdict = Literal["same", "numbers", "ran", "set"]


@dataclass(frozen=True)
class Comparison:
    """What differs between the folders A and B.

    Attributes
    ----------
    settings
        Of the configurations; `None` where one of them isn't known.
    origin
        Commit, versions, machine; no difference of the results by themselves.
    ran
        What only one of them holds.
    tables
        Each table of the evaluation that both have.
    pooled
        As from `numbers.pooled_systems`; `None` without two summaries.
    paired
        As from `numbers.paired_patients`; `None` without two tables of metrics.
    """

    first: Folder
    second: Folder
    tolerance: float
    settings: list[SettingDifference] | None
    origin: list[SettingDifference]
    ran: list[OnlyIn]
    tables: dict[str, TableComparison]
    pooled: pd.DataFrame | None
    paired: pd.DataFrame | None

    @property
    def verdict(self) -> Verdict:
        """The heaviest way in which they differ: in numbers, in what ran, in what was set."""
        if any(len(table.differences) for table in self.tables.values()):
            return "numbers"
        if self.other_ran:
            return "ran"
        return "set" if self.settings else "same"

    @property
    def other_ran(self) -> bool:
        """Whether one of them holds files or rows that the other doesn't."""
        tables = self.tables.values()
        return bool(self.ran) or any(table.only_first or table.only_second for table in tables)


def compare(first: Folder, second: Folder, tolerance: float = 0.0) -> Comparison:
    """Compare two results folders.

    Parameters
    ----------
    tolerance
        Largest relative difference of equal numbers; 0: exactly equal.
    """
    settings = None
    if first.configuration is not None and second.configuration is not None:
        settings = list(setting_differences(first.configuration, second.configuration))
    shared = [name for name in KINDS if name in first.tables and name in second.tables]
    pairs = {name: (first.tables[name], second.tables[name]) for name in shared}
    return Comparison(
        first=first,
        second=second,
        tolerance=tolerance,
        settings=settings,
        origin=list(setting_differences(first.origin, second.origin)),
        ran=what_ran(first, second),
        tables={name: compare_tables(KINDS[name], *pairs[name], tolerance) for name in shared},
        pooled=pooled_systems(*pairs["summary.csv"]) if "summary.csv" in pairs else None,
        paired=(
            paired_patients(*pairs["metrics.parquet"], tolerance)
            if "metrics.parquet" in pairs
            else None
        ),
    )
