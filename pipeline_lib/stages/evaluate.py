"""Score a model's predictions on the patients that one fold is tested on, for the pairs it has."""

import logging
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Series
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import check_alike, declared_ranges, own_ranges
from pipeline_lib.evaluation.pairs import index_pairs
from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.evaluation.scoring import score_patient
from pipeline_lib.evaluation.tables import MetricsFile, metrics_table
from pipeline_lib.files import written_whole
from pipeline_lib.slices.images import Images
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.evaluation_command import evaluation_parser, training_and_tested

LOG = logging.getLogger(__name__)

NAMED = 10  # patients in a sentence, at most


def main() -> None:
    """Read slices, split and predictions, write one table."""
    parser = evaluation_parser(__doc__)
    parser.add_argument("--predictions", type=Path, required=True, help="folder of predictions")
    arguments = parser.parse_args()

    training, groups = training_and_tested(arguments)
    external = groups.get("external")
    ranges = own_ranges(external) if external else declared_ranges(training)
    LOG.info("data range of each target: %s", ranges)
    predictions = Predictions(arguments.predictions)
    tables = scored(predictions, groups, ranges, arguments.options, arguments.fold)
    with written_whole(arguments.output) as temporary, MetricsFile(temporary) as file:
        for table in tables:
            file.add(table)


def scored(
    predictions: Predictions,
    groups: Mapping[str, Series[Images]],
    ranges: Mapping[str, float],
    options: Mapping[str, Any],
    fold: int,
) -> Iterator[pd.DataFrame]:
    """Score the predictions for all groups of patients, one patient after the other.

    Parameters
    ----------
    predictions
        Of the patients of all groups and no others.
    groups
        Patients of the groups test and seen, or external.
    ranges
        Declared range of each contrast.
    options
        Of the stage.
    fold
        Of the split.

    Returns
    -------
        Rows of the table of metrics of each patient; see `tables`.

    Raises
    ------
    InputError
        If the predictions are of other patients, or of a pair that the experiment has not.
    """
    names = [images.slices.patient for group in groups.values() for images in group]
    found = predictions.patients
    if sorted(found) != sorted(names):
        raise InputError(
            f"{predictions.folder} holds {_some(found)}, but the {' and '.join(groups)} patients "
            f"of fold {fold} are {_some(names)}; predict again."
        )
    check_alike(images.slices for group in groups.values() for images in group)
    # A model of one pair has a folder a pair; the merge sees to it that none is missing.
    for source, target in predictions.pairs:
        if [source, target] not in options["pairs"]:
            raise InputError(
                f"{predictions.folder} holds {source} → {target}, which is no pair of the "
                f"experiment {options['experiment']}; predict again."
            )
    pairs = index_pairs(predictions.pairs, predictions.contrasts)
    experiment = index_pairs(options["pairs"], predictions.contrasts)
    described = (options["experiment"], options["dataset"], options["model"], fold)
    for group, members in groups.items():
        for images in members:
            answer = predictions.answer(images)
            scores = score_patient(images, answer, ranges, pairs, options["paper"], experiment)
            yield metrics_table(scores, *described, group, options["unseen"])


def _some(patients: Series[str]) -> str:
    """Name patients, the first of them where there are many."""
    shown = ", ".join(patients[:NAMED])
    return shown if len(patients) <= NAMED else f"{shown} and {len(patients) - NAMED} more"


if __name__ == "__main__":
    run_stage(main)
