"""`recontrast crate RESULTS`: export a results folder as a Workflow Run RO-Crate."""

import argparse
import sys
from pathlib import Path

from pipeline_lib.errors import InputError

SUMMARY = "export a results folder as a Workflow Run RO-Crate: who made what, when, with what"
CODE_LICENCE = "https://spdx.org/licenses/MIT"
# What --copy can name: parts of the results folder, by glob.
PARTS = {
    "tables": ("jobs.csv", "evaluation/*", "split/*.csv"),
    "report": ("report.html",),
    "models": ("train/**/*",),
    "images": (
        "simulate/**/*", "convert_dicom/**/*", "correct_bias/**/*", "register/**/*",
        "segment/**/*", "quality/**/*", "slices/**/*", "fit_maps/**/*", "predict*/**/*",
    ),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast crate`."""
    parser.add_argument(
        "results", nargs="?", type=Path, default=Path("results"),
        help="results folder, or one that holds it (default: results)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, help="folder to write, or a file that ends in .zip"
    )
    parser.add_argument(
        "--copy", nargs="+", choices=PARTS, default=[],
        help="what of the results to copy into it (default: nothing, all is referred to by name); "
        "report and images show the patients, tables and models name them",
    )  # fmt: skip
    parser.add_argument(
        "--licence", metavar="URL",
        help="licence of the crate; needed where results are copied, as theirs is not that of the "
        f"code (default: {CODE_LICENCE}, for the workflow alone)",
    )  # fmt: skip
    parser.add_argument("--agent", metavar="NAME", help="who ran the workflow (default: not told)")
    parser.add_argument("--orcid", metavar="URL", help="ORCID of the agent, as a URL")
    parser.add_argument(
        "--keep-paths", action="store_true",
        help="leave the absolute paths of the configuration as they are (default: their last part "
        "alone, as paths tell names of users and machines)",
    )  # fmt: skip
    parser.epilog = (
        "The profile is Provenance Run Crate 0.5 on RO-Crate 1.1. The names of the machine and of "
        "its user are written nowhere."
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the crate.

    Raises
    ------
    InputError
        If the folder holds no results, no job was recorded in it, a licence is missing, or
        something else lies at the output.
    StorageError
        If the disk is full or may not be written.
    """
    from pipeline_lib.compare.folders import find_results
    from pipeline_lib.crate.contents import Contents
    from pipeline_lib.crate.costs import counted
    from pipeline_lib.crate.metadata import Signed, metadata_of
    from pipeline_lib.crate.writing import write_crate

    if arguments.copy and not arguments.licence:
        raise InputError(
            f"--copy {' '.join(arguments.copy)} needs --licence URL: say under which licence the "
            "results may be used."
        )
    if arguments.orcid and not arguments.agent:
        raise InputError("--orcid needs --agent NAME, too.")
    globs = tuple(glob for part in arguments.copy for glob in PARTS[part])
    contents = Contents.read(find_results(arguments.results), globs, arguments.keep_paths)
    signed = Signed(arguments.licence or CODE_LICENCE, arguments.agent, arguments.orcid)
    write_crate(arguments.output, metadata_of(contents, signed), contents.files)
    copied = sum(path.startswith("results/") for path in contents.files)
    sys.stdout.write(
        f"{arguments.output}: {counted(len(contents.runs), 'run')}, "
        f"{counted(len(contents.jobs), 'job')}, {counted(copied, 'file')} of the results copied\n"
    )
    return 0
