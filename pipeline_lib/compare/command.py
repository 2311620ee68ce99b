"""`recontrast compare A B`: say in words what differs between two results folders."""

import argparse
import json
import math
import sys
from pathlib import Path

SUMMARY = "say what differs between two results folders: settings, what ran, what came out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast compare`."""
    parser.add_argument("a", metavar="A", type=Path, help="results folder, or one that holds it")
    parser.add_argument("b", metavar="B", type=Path, help="the other one")
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=0.0,
        help="largest relative difference of equal numbers (default: 0, exactly equal); numbers "
        "below 1e-6 are taken as that large, because the rounding of a zero is no difference",
    )
    parser.add_argument("--all", action="store_true", help="all differences, not the first 20")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.epilog = (
        "Exit status: 0 if settings, what ran and all numbers are the same, 1 if they differ, 2 if "
        "a folder can't be read. Other commits, versions and machines are told, but are no "
        "difference by themselves."
    )


def run(arguments: argparse.Namespace) -> int:
    """Compare two folders and write what differs; 0 if they are the same, else 1.

    Raises
    ------
    InputError
        If a folder is no results folder, or a file in it can't be read.
    """
    from pipeline_lib.compare.comparison import compare
    from pipeline_lib.compare.folders import read_folder
    from pipeline_lib.compare.mapping import as_mapping
    from pipeline_lib.compare.words import as_text

    first, second = read_folder(arguments.a), read_folder(arguments.b)
    comparison = compare(first, second, arguments.tolerance)
    if arguments.json:
        text = json.dumps(as_mapping(comparison), indent=2, ensure_ascii=False, allow_nan=False)
    else:
        text = as_text(comparison, limit=None if arguments.all else 20)
    sys.stdout.write(text + "\n")
    return 0 if comparison.verdict == "same" else 1


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(
            f"a number from 0 to below 1 such as 1e-6 is wanted, not {text}"
        )
    return value
