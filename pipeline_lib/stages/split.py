"""Make the table that says which patient trains, validates and tests in each fold."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline_lib.files import read_json
from pipeline_lib.slices.leaked import is_leaked
from pipeline_lib.slices.split import PARTS, SplitRow, leaked_rows, make_split, write_split
from pipeline_lib.slices.store import opened
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
    patients = list(dict.fromkeys(read_json(arguments.patients).values()))
    anatomies: dict[str, str] = {}  # every patient is taken for its own
    split, seed = options["split"], options["seed"]
    rows: Iterable[SplitRow]
    if is_leaked(split):
        stores = opened(arguments.slices)
        images = {store.patient: (len(store), tuple(store.contrasts)) for store in stores}
        rows = leaked_rows(patients, anatomies, split, seed, images)
    else:
        rows = make_split(patients, anatomies, split, seed)
    write_split(arguments.output, counted(rows))


def counted(rows: Iterable[SplitRow]) -> Iterator[SplitRow]:
    """Pass on the rows, and say in the end how many patients are in each part of each fold."""
    patients: dict[int, dict[str, set[str]]] = {}
    for row in rows:
        of_fold = patients.setdefault(row.fold, {part: set() for part in PARTS})
        of_fold[row.split].add(row.patient)
        yield row
    for fold, parts in sorted(patients.items()):
        counts = ", ".join(f"{len(members)} in {part}" for part, members in parts.items())
        logging.info("fold %d: patients %s", fold, counts)


if __name__ == "__main__":
    run_stage(main)
