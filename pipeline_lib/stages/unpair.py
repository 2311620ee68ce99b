"""Draw the shifts that break the pairs of contrasts, and which contrasts are kept."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline_lib.slices.store import opened
from pipeline_lib.slices.unpair import Draw, UnpairSettings, draw_unpaired, write_draws
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
    draws = draw_unpaired(opened(arguments.slices), settings, arguments.options["seed"])
    write_draws(arguments.output, counted(draws))


def counted(draws: Iterable[Draw]) -> Iterator[Draw]:
    """Pass on the draws, and say in the end how many are kept."""
    kept = count = 0
    for draw in draws:
        kept, count = kept + draw.kept, count + 1
        yield draw
    logging.info("%d images of %d are kept", kept, count)


if __name__ == "__main__":
    run_stage(main)
