"""Make the table that says which patient trains, validates and tests in each fold."""

import logging
from collections import Counter
from pathlib import Path

from pipeline_lib.slices.split import make_split, write_split
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Split the patients of one experiment."""
    parser = stage_parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()

    options = arguments.options
    rows = make_split(options["patients"], options["anatomies"], options["split"], options["seed"])
    counts = Counter((row.fold, row.split) for row in rows)
    for (fold, part), count in sorted(counts.items()):
        logging.info("fold %d, %s: %d patients", fold, part, count)
    write_split(arguments.output, rows)


if __name__ == "__main__":
    run_stage(main)
