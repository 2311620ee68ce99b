"""Draw the shifts that break the pairs of contrasts, and which contrasts are kept."""

import logging
from pathlib import Path

from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import UnpairSettings, draw_unpaired, write_draws
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Draw the table of one experiment."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="one folder a patient"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()

    settings = UnpairSettings(**arguments.options["unpairing"])
    stores = [PatientSlices.open(folder) for folder in arguments.slices]
    draws = draw_unpaired(stores, settings, arguments.options["seed"])
    logging.info("%d images of %d are kept", sum(draw.kept for draw in draws), len(draws))
    write_draws(arguments.output, draws)


if __name__ == "__main__":
    run_stage(main)
