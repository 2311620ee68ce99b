"""Merge the scores of all models and the tissue tables of all patients, and summarise them."""

from dataclasses import dataclass
from pathlib import Path

from pipeline_lib.evaluation.statistics import summary
from pipeline_lib.evaluation.tables import merged, merged_tissues
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
    """Read all parts, write metrics (Parquet and CSV), summary and tissues."""
    parser = stage_parser(__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="Parquet files")
    parser.add_argument(
        "--maps", type=Path, nargs="*", default=[], help="folders of maps, {dataset}/{patient}"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    settings = EvaluateSettings(**arguments.options["evaluate"])

    metrics = merged(arguments.parts)
    tissues = merged_tissues({folder: folder.parent.name for folder in arguments.maps})
    with folder_written_whole(arguments.output) as folder:
        metrics.to_parquet(folder / "metrics.parquet", index=False)
        metrics.to_csv(folder / "metrics.csv", index=False)
        summary(metrics, settings.bootstrap, arguments.options["seed"]).to_csv(
            folder / "summary.csv", index=False
        )
        tissues.to_csv(folder / "tissues.csv", index=False)


if __name__ == "__main__":
    run_stage(main)
