"""Score a model's predictions for the test patients of one fold, on the pairs that they hold."""

import logging
from pathlib import Path

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import declared_ranges
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.evaluation.scoring import index_pairs, score_patient
from pipeline_lib.evaluation.tables import metrics_table
from pipeline_lib.files import written_whole
from pipeline_lib.slices.split import read_split
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages.command import run_stage, stage_parser

LOG = logging.getLogger(__name__)


def main() -> None:
    """Read slices, split and predictions, write one table."""
    parser = stage_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="all patients")
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--predictions", type=Path, required=True, help="folder of predictions")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    arguments = parser.parse_args()
    options = arguments.options

    training, test = training_and_test(arguments.slices, arguments.split, arguments.fold)
    predictions = Predictions(arguments.predictions)
    if sorted(predictions.patients) != sorted(slices.patient for slices in test):
        raise InputError(
            f"{arguments.predictions} holds {', '.join(predictions.patients)}, but the test "
            f"patients of fold {arguments.fold} are {', '.join(s.patient for s in test)}; "
            "predict again."
        )
    # A model of one pair has a folder a pair; the merge sees to it that none is missing.
    for source, target in predictions.pairs:
        if [source, target] not in options["pairs"]:
            raise InputError(
                f"{arguments.predictions} holds {source} → {target}, which is no pair of the "
                f"experiment {options['experiment']}; predict again."
            )
    pairs = index_pairs(predictions.pairs, predictions.contrasts)
    ranges = declared_ranges(training)
    LOG.info("data range of each target: %s", ranges)
    scores = [
        score
        for slices in test
        for score in score_patient(slices, predictions.answer(slices), ranges, pairs)
    ]
    table = metrics_table(
        scores, options["experiment"], options["dataset"], options["model"], arguments.fold
    )
    with written_whole(arguments.output) as temporary:
        table.to_parquet(temporary, index=False)


def training_and_test(
    folders: list[Path], split: Path, fold: int
) -> tuple[list[PatientSlices], list[PatientSlices]]:
    """Open the training and the test patients of a fold.

    Raises
    ------
    InputError
        If a patient of the split has no slices.
    """
    stores = {slices.patient: slices for slices in map(PatientSlices.open, folders)}
    parts = read_split(split, fold)
    for patient in (*parts["train"], *parts["test"]):
        if patient not in stores:
            raise InputError(f"{split} names {patient}, of whom no slices were given; make them.")
    return [stores[p] for p in parts["train"]], [stores[p] for p in parts["test"]]


if __name__ == "__main__":
    run_stage(main)
