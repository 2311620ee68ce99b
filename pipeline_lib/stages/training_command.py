"""What the command lines of all training stages share."""

import argparse
from pathlib import Path

from pipeline_lib.errors import InputError
from pipeline_lib.slices.datasets import PairedSlices
from pipeline_lib.slices.selection import Augmentation, Channels, Patches, Selection
from pipeline_lib.stages.command import stage_parser
from pipeline_lib.training.job import SLICE_ALONE, Job
from pipeline_lib.training.settings import OF_THE_MACHINE


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a training stage."""
    parser = stage_parser(description)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="all patients' slices"
    )
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument(
        "--unpaired", type=Path, help="table of draws, of systems that train without pairs"
    )
    parser.add_argument("--fold", type=int, required=True, help="which fold of the split")
    parser.add_argument("--code", required=True, help="digest of the code, for the checkpoint")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder, kept when killed")
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    # Settings of the model, too; they change nothing of what it learns, and stand apart so that
    # another value trains nothing again.
    parser.add_argument("--workers", type=int, help="processes that read slices")
    parser.add_argument("--checkpoint-seconds", type=float, help="time between two checkpoints")
    return parser


def job_of(arguments: argparse.Namespace) -> Job:
    """Give the job that a training stage was called for."""
    options = arguments.options
    given = {name: getattr(arguments, name) for name in OF_THE_MACHINE}
    return Job(
        slices=tuple(arguments.slices),
        split=arguments.split,
        fold=arguments.fold,
        experiment=options["experiment"],
        seed=options["seed"],
        model=options["model"] | {name: each for name, each in given.items() if each is not None},
        pairs=tuple((source, target) for source, target in options["pairs"]),
        unseen=tuple(options["unseen"]),
        code=arguments.code,
        checkpoints=arguments.checkpoints,
        output=arguments.output,
    )


def any_pair(
    job: Job,
    augmentation: Augmentation,
    patches: Patches | None = None,
    source: str | None = None,
    drawn_targets: int = 0,
) -> PairedSlices:
    """Give slices with every contrast of the training as source (or one) and as target.

    Each holds all targets, or so many that are drawn.

    Raises
    ------
    InputError
        If the one source is no contrast of the training.
    """
    if source is not None and source not in job.seen:
        raise InputError(
            f"{job.model['name']} starts from {source!r}, which is no contrast of the training: "
            f"{', '.join(job.seen)}."
        )
    seen = job.indices(job.seen)
    sources = seen if source is None else job.indices([source])
    selection = Selection(sources, seen, drawn_targets, SLICE_ALONE, patches, augmentation)
    return PairedSlices(job.folders["train"], job.run_seed, selection, job.held)


def one_pair(
    job: Job,
    augmentation: Augmentation,
    channels: Channels = SLICE_ALONE,
    patches: Patches | None = None,
) -> PairedSlices:
    """Give slices of the job's one pair of contrasts."""
    source, target = job.indices(job.pair)
    selection = Selection(
        (source,), (target,), channels=channels, patches=patches, augmentation=augmentation
    )
    return PairedSlices(job.folders["train"], job.run_seed, selection, job.held)
