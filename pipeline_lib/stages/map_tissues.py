"""Tabulate the tissue values of the maps that a model predicted, beside the truth."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.predicted_maps import COLUMNS, predicted_tissues
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.evaluation.tables import write_pieces
from pipeline_lib.files import written_whole
from pipeline_lib.slices.split import read_split
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages.command import run_stage, stage_parser


def main() -> None:
    """Tabulate one model and fold; a model without maps has an empty table."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--predictions", type=Path, required=True, help="folder that the stage predict wrote"
    )
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="all patients' slices"
    )
    parser.add_argument(
        "--maps", type=Path, nargs="+", required=True, help="all patients' fitted maps"
    )
    parser.add_argument(
        "--split", type=Path, help="table of the split, to leave out who is no test patient"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args()

    predictions = Predictions(arguments.predictions)
    slices_of = {folder.name: folder for folder in arguments.slices}
    maps_of = {folder.name: folder for folder in arguments.maps}
    patients = predictions.patients if predictions.maps is not None else []
    if arguments.split:
        tested = set(read_split(arguments.split, int(arguments.options["fold"]))["test"])
        patients = [patient for patient in patients if patient in tested]
    options = {name: arguments.options[name] for name in ("experiment", "model", "fold")}
    with written_whole(arguments.output) as path:
        write_pieces(path, tables_of(patients, predictions, slices_of, maps_of, options))


def tables_of(
    patients: Sequence[str],
    predictions: Predictions,
    slices_of: Mapping[str, Path],
    maps_of: Mapping[str, Path],
    options: Mapping[str, Any],
) -> Iterator[pd.DataFrame]:
    """Give the columns alone, then the table of each patient.

    Raises
    ------
    InputError
        If the slices or the maps of a patient are not there.
    """
    yield pd.DataFrame(columns=list(COLUMNS))
    for patient in patients:
        for folders, what in ((slices_of, "--slices"), (maps_of, "--maps")):
            if patient not in folders:
                raise InputError(f"{what} names no folder of {patient}, which was predicted")
        slices = PatientSlices.open(slices_of[patient])
        table = predicted_tissues(predictions, slices, read_truth(maps_of[patient]))
        yield table.assign(**options)[list(COLUMNS)]


def read_truth(folder: Path) -> dict[tuple[str, str], float]:
    """Read what is true of a patient's tissues from the table that the stage fit_maps wrote.

    Returns
    -------
        By tissue and parameter; NaN of a real patient.

    Raises
    ------
    InputError
        If the table is missing or has other columns.
    """
    path = folder / "tissues.csv"
    try:
        table = pd.read_csv(path)
        keys = zip(table["tissue"], table["parameter"], strict=True)
        return dict(zip(keys, table["truth"].astype(float), strict=True))
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run the stage fit_maps first.") from None
    except (KeyError, ValueError) as error:
        raise InputError(f"{path} has no {error}; delete it and fit the maps again.") from None


if __name__ == "__main__":
    run_stage(main)
