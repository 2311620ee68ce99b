"""Merge the scores of all models and the tables of all maps, summarise and compare them."""

from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.batches import dataset_of
from pipeline_lib.evaluation.comparisons import comparisons
from pipeline_lib.evaluation.generalisation import generalisation
from pipeline_lib.evaluation.statistics import summary
from pipeline_lib.evaluation.tables import merged, merged_maps, merged_tissues
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
        "--maps", type=Path, nargs="*", default=[], help="folders of maps, {dataset}/{patient}"
    )
    parser.add_argument(
        "--map-tables", type=Path, nargs="*", default=[], help="CSV files of predicted maps"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    options = arguments.options
    settings, seed = EvaluateSettings(**options["evaluate"]), options["seed"]

    metrics = merged(arguments.parts)
    tables = {
        "metrics": metrics,
        "summary": summary(metrics, settings.bootstrap, seed),
        "external": summary(metrics, settings.bootstrap, seed, group="external"),
        "generalisation": generalisation(metrics, settings.bootstrap, seed),
        "comparisons": comparisons(metrics, options["experiments"], settings.bootstrap, seed),
        "tissues": merged_tissues({folder: dataset_of(folder) for folder in arguments.maps}),
        "maps": merged_maps(arguments.map_tables),
    }
    with folder_written_whole(arguments.output) as folder:
        metrics.to_parquet(folder / "metrics.parquet", index=False)
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    run_stage(main)
