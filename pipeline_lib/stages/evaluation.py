"""Merge the scores of all models and the tables of all maps, summarise and compare them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline_lib.batches import dataset_of
from pipeline_lib.evaluation import comparisons as compare
from pipeline_lib.evaluation import generalisation as generalise
from pipeline_lib.evaluation import statistics
from pipeline_lib.evaluation.gathering import Gathered, Key, Means
from pipeline_lib.evaluation.merging import merge, rows_of
from pipeline_lib.evaluation.statistics import joined, summary
from pipeline_lib.evaluation.tables import map_tables, tissue_tables, write_pieces
from pipeline_lib.files import folder_written_whole
from pipeline_lib.stages.command import run_stage, stage_parser


@dataclass(frozen=True)
class EvaluateSettings:
    """Section `evaluate` of the configuration.

    Attributes
    ----------
    bootstrap
        Number of resamples of the patients.
    """

    bootstrap: int


def main() -> None:
    """Read all parts, write metrics (Parquet and CSV) and the tables made of them."""
    parser = stage_parser(__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="Parquet files")
    parser.add_argument(
        "--maps", type=Path, nargs="*", default=[], help="folders of the maps of all patients"
    )
    parser.add_argument(
        "--map-tables", type=Path, nargs="*", default=[], help="CSV files of predicted maps"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    options = arguments.options
    settings, seed = EvaluateSettings(**options["evaluate"]), options["seed"]

    maps = {folder: dataset_of(folder) for folder in arguments.maps}
    with folder_written_whole(arguments.output) as folder:
        systems = merge(arguments.parts, folder / "metrics.parquet", folder / "metrics.csv")
        tables = statistics_of(folder / "metrics.parquet", systems, options["experiments"], seed,
                               settings.bootstrap)  # fmt: skip
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)
        write_pieces(folder / "tissues.csv", tissue_tables(maps))
        write_pieces(folder / "maps.csv", map_tables(arguments.map_tables))


def statistics_of(
    metrics: Path,
    systems: Mapping[Key, Sequence[int]],
    experiments: Mapping[str, Sequence[str]],
    seed: int,
    resamples: int,
) -> dict[str, pd.DataFrame]:
    """Make the tables of the statistics, with the values of one system in memory at a time.

    Parameters
    ----------
    metrics
        Parquet file of all rows.
    systems
        Where each system is in it; see `merging.merge`.
    experiments
        Names of the learned models of each.
    seed, resamples
        Of the bootstrap.
    """
    summaries: dict[str, list[pd.DataFrame]] = {"test": [], "external": []}
    compared: list[pd.DataFrame] = []
    cells: dict[Key, Means] = {}
    for system, places in systems.items():
        gathered = Gathered(rows_of(metrics, system, places))
        for group, tables in summaries.items():
            tables.append(summary(gathered, resamples, seed, group))
        compared.append(compare.compared(gathered))
        cells |= gathered.cells
    values = joined(compared, compare.COMPARED)
    return {
        "summary": joined(summaries["test"], statistics.COLUMNS),
        "external": joined(summaries["external"], statistics.COLUMNS),
        "generalisation": generalise.generalisation(cells, resamples, seed),
        "comparisons": compare.comparisons(values, experiments, resamples, seed),
    }


if __name__ == "__main__":
    run_stage(main)
