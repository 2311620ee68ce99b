"""Score the trivial baselines and the noise ceiling on the test patients of one fold."""

import logging
from pathlib import Path

import pandas as pd

from pipeline_lib.evaluation.baselines import (
    LookUpTable,
    TrainingMean,
    declared_ranges,
    do_nothing,
    noise_ceiling,
)
from pipeline_lib.evaluation.scoring import Score, index_pairs, score_patient
from pipeline_lib.evaluation.tables import metrics_table
from pipeline_lib.files import written_whole
from pipeline_lib.stages.command import run_stage, stage_parser
from pipeline_lib.stages.evaluate import training_and_test

LOG = logging.getLogger(__name__)


def main() -> None:
    """Read slices and split, write one table with a model name for each baseline."""
    parser = stage_parser(__doc__)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="all patients")
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    arguments = parser.parse_args()
    options = arguments.options

    training, test = training_and_test(arguments.slices, arguments.split, arguments.fold)
    pairs = index_pairs(options["pairs"], training[0].contrasts)
    ranges = declared_ranges(training)
    LOG.info("data range of each target: %s", ranges)
    answers = {
        "do_nothing": do_nothing,
        "look_up_table": LookUpTable(training, ranges).answer,
        "training_mean": TrainingMean(training).answer,
    }
    scores: dict[str, list[Score]] = {
        name: [
            score for slices in test for score in score_patient(slices, make(slices), ranges, pairs)
        ]
        for name, make in answers.items()
    }
    scores["noise_ceiling"] = [
        score for slices in test for score in noise_ceiling(slices, ranges, options["seed"], pairs)
    ]
    table = pd.concat(
        [
            metrics_table(rows, options["experiment"], options["dataset"], name, arguments.fold)
            for name, rows in scores.items()
        ],
        ignore_index=True,
    )
    with written_whole(arguments.output) as temporary:
        table.to_parquet(temporary, index=False)


if __name__ == "__main__":
    run_stage(main)
