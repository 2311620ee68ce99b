"""Make the table that says which patient trains, validates and tests in each fold."""

import logging
from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.slices.split import PARTS, make_split, patients_of, write_split
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Split the patients of one experiment."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--slices", type=Path, nargs="+", default=[], help="all patients' slices, of a leaked split"
    )
    parser.add_argument("--patients", type=Path, required=True, help="what the rule patients wrote")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    arguments = parser.parse_args()

    options = arguments.options
    stores = [PatientSlices.open(folder) for folder in arguments.slices]
    rows = make_split(
        list(dict.fromkeys(read_json(arguments.patients).values())),
        {},  # every patient is taken for its own anatomy
        options["split"],
        options["seed"],
        {store.patient: (len(store), list(store.contrasts)) for store in stores},
    )
    for fold in sorted({row.fold for row in rows}):
        of_fold = [row for row in rows if row.fold == fold]
        counts = ", ".join(f"{len(patients_of(of_fold, part))} in {part}" for part in PARTS)
        logging.info("fold %d: patients %s", fold, counts)
    write_split(arguments.output, rows)


if __name__ == "__main__":
    run_stage(main)
