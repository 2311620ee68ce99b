"""What the command lines of the stages share that score the patients of one fold."""

import argparse
from pathlib import Path

from pipeline_lib.slices.images import Part, read_images
from pipeline_lib.stages.command import stage_parser


def evaluation_parser(description: str | None) -> argparse.ArgumentParser:
    """Make the parser of a stage that scores patients."""
    parser = stage_parser(description)
    parser.add_argument("--slices", type=Path, nargs="+", required=True, help="all patients")
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument(
        "--external",
        type=Path,
        nargs="+",
        default=[],
        help="slices of another dataset's patients, who alone are scored then",
    )
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    return parser


def training_and_tested(
    arguments: argparse.Namespace,
) -> tuple[Part, dict[str, Part]]:
    """Find the training patients of the fold, and those it is tested on.

    Returns
    -------
        The former, and the latter as groups: test and, where there are some, seen; or external
        alone, without training patients.

    Raises
    ------
    InputError
        See `slices.images.read_images`.
    """
    if arguments.external:
        everyone = Part(arguments.external, [None] * len(arguments.external))
        return Part([], []), {"external": everyone}
    training, test, seen = (
        read_images(arguments.slices, arguments.split, arguments.fold, part)
        for part in ("train", "test", "seen")
    )
    return training, {"test": test} | ({"seen": seen} if seen else {})
