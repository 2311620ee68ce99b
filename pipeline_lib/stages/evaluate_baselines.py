"""Score the baselines and the ceilings on the patients that one fold is tested on."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Sequence as Listing
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.baselines import (
    LookUpTable,
    TrainingMean,
    check_alike,
    declared_ranges,
    do_nothing,
    own_ranges,
)
from pipeline_lib.evaluation.ceilings import (
    noise_ceiling,
    patient_residuals,
    registration_ceiling,
    session_residuals,
)
from pipeline_lib.evaluation.likeness import seen_in_training
from pipeline_lib.evaluation.nearest import NearestCopy
from pipeline_lib.evaluation.oracle import check_fitted, least_squares
from pipeline_lib.evaluation.pairs import Answer, index_pairs
from pipeline_lib.evaluation.scoring import Score, score_patient
from pipeline_lib.evaluation.tables import MetricsFile, metrics_table
from pipeline_lib.files import written_whole
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages.command import run_stage
from pipeline_lib.stages.evaluation_command import evaluation_parser, training_and_tested

LOG = logging.getLogger(__name__)

Baseline = Callable[[PatientSlices], Answer]
Ceiling = Callable[[Images], list[Score]]


def main() -> None:
    """Read slices and split, write one table with a model name for each baseline and ceiling."""
    parser = evaluation_parser(__doc__)
    parser.add_argument(
        "--registered", type=Path, nargs="*", default=[], help="folders of registered sessions"
    )
    arguments = parser.parse_args()
    training, groups = training_and_tested(arguments)
    if arguments.external:
        tables = external_tables(groups["external"], arguments.options, arguments.fold)
    else:
        residuals = session_residuals(arguments.registered)
        tables = own_tables(training, groups, residuals, arguments.options, arguments.fold)
    with written_whole(arguments.output) as temporary, MetricsFile(temporary) as file:
        for table in tables:
            file.add(table)


def own_tables(
    training: Listing[Images],
    groups: Mapping[str, Listing[Images]],
    residuals: dict[str, dict[str, float]],
    options: dict[str, Any],
    fold: int,
) -> Iterator[pd.DataFrame]:
    """Score all baselines and ceilings on the experiment's own patients."""
    everyone = chain(training, *groups.values())
    check_alike(images.slices for images in everyone)
    pairs = index_pairs(options["pairs"], training[0].slices.contrasts)
    ranges = declared_ranges(training)
    LOG.info("data range of each target: %s", ranges)
    known = seen_in_training(training, pairs, options["unseen"])
    answers: dict[str, Baseline] = {
        "do_nothing": do_nothing,
        "look_up_table": LookUpTable(known, ranges, pairs).answer,
        "training_mean": TrainingMean(known).answer,
        "nearest_copy": NearestCopy(known).answer,
        **oracle(chain(*groups.values()), options),
    }
    ceilings: dict[str, Ceiling] = {
        "noise_ceiling": lambda images: noise_ceiling(images, ranges, options["seed"], pairs)
    }
    moved = residuals_of(chain(*groups.values()), residuals)
    if moved is not None:
        ceilings["registration_ceiling"] = lambda images: registration_ceiling(
            images, ranges, moved[images.slices.patient], pairs
        )
    for group, patients in groups.items():
        for name, make in answers.items():
            yield from scored(patients, make, ranges, name, group, options, fold)
        for name, ceiling in ceilings.items():
            for images in patients:
                yield table_of(ceiling(images), name, group, options, fold)


def residuals_of(
    patients: Iterable[Images], sessions: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]] | None:
    """Residuals of each patient's contrasts, or nothing where a patient was not registered."""
    found = {}
    for images in patients:
        residuals = patient_residuals(images.slices, sessions)
        if residuals is None:
            LOG.info("no registration_ceiling: %s was not registered", images.slices.patient)
            return None
        found[images.slices.patient] = residuals
    return found


def external_tables(
    patients: Listing[Images], options: dict[str, Any], fold: int
) -> Iterator[pd.DataFrame]:
    """Score what needs no training data on another dataset's patients."""
    check_alike(images.slices for images in patients)
    ranges = own_ranges(patients)
    answers: dict[str, Baseline] = {"do_nothing": do_nothing, **oracle(patients, options)}
    for name, make in answers.items():
        yield from scored(patients, make, ranges, name, "external", options, fold)


def oracle(patients: Iterable[Images], options: dict[str, Any]) -> dict[str, Baseline]:
    """Give the least-squares baseline, or nothing where the protocol can't be fitted."""
    form = options["signal"]
    try:
        for images in patients:
            check_fitted(images.slices, form)
    except InputError as error:
        LOG.info("no least_squares: %s", error)
        return {}
    return {"least_squares": lambda slices: least_squares(slices, form)}


def scored(
    patients: Listing[Images],
    make: Baseline,
    ranges: dict[str, float],
    name: str,
    group: str,
    options: dict[str, Any],
    fold: int,
) -> Iterator[pd.DataFrame]:
    """Score a baseline on a group of patients, one after the other."""
    for images in patients:
        pairs = index_pairs(options["pairs"], images.slices.contrasts)
        scores = score_patient(images, make(images.slices), ranges, pairs, options["paper"])
        yield table_of(scores, name, group, options, fold)


def table_of(
    scores: Listing[Score], name: str, group: str, options: dict[str, Any], fold: int
) -> pd.DataFrame:
    """Make the part of the table of metrics that a baseline fills."""
    experiment, dataset, unseen = options["experiment"], options["dataset"], options["unseen"]
    return metrics_table(scores, experiment, dataset, name, fold, group, unseen)


if __name__ == "__main__":
    run_stage(main)
