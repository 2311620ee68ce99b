"""What the command lines of all training stages share."""

import argparse
from pathlib import Path

from pipeline_lib.stages.command import stage_parser
from pipeline_lib.training.job import Job


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a training stage."""
    parser = stage_parser(description)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="all patients' slices"
    )
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument(
        "--unpaired", type=Path, required=True, help="table of draws; paired systems don't read it"
    )
    parser.add_argument("--fold", type=int, required=True, help="which fold of the split")
    parser.add_argument("--code", required=True, help="digest of the code, for the checkpoint")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder, kept when killed")
    parser.add_argument("--output", type=Path, required=True, help="folder of the trained model")
    return parser


def job_of(arguments: argparse.Namespace) -> Job:
    """Give the job that a training stage was called for."""
    return Job(
        slices=tuple(arguments.slices),
        split=arguments.split,
        fold=arguments.fold,
        experiment=arguments.options["experiment"],
        seed=arguments.options["seed"],
        model=arguments.options["model"],
        code=arguments.code,
        checkpoints=arguments.checkpoints,
        output=arguments.output,
    )
