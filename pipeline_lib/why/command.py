"""`recontrast why TARGET`: say in plain words why the workflow would make something again."""

import argparse
import sys
from pathlib import Path

SUMMARY = "say why the workflow would run: which setting, code or file changed, and what follows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast why`."""
    parser.add_argument(
        "target",
        nargs="?",
        default="results/report.html",
        metavar="TARGET",
        help="a file of the results, or a rule (default: results/report.html)",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        help="folder that the workflow runs in, which holds results/ (default: this one)",
    )
    # As Snakemake has them; what was given for the run must be given here.
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--use-conda", action="store_true")
    parser.add_argument("--all", action="store_true", help="all names, not the first four")
    parser.epilog = (
        "Give --configfile, --config and --use-conda as to Snakemake. Nothing is run. Exit status: "
        "0 if nothing would run, 1 if something would, 2 if Snakemake can't tell."
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask Snakemake, and write why; 0 if nothing would run, else 1.

    Raises
    ------
    InputError
        If there is no such folder, or Snakemake refuses the configuration or the target.
    """
    from pipeline_lib.errors import InputError
    from pipeline_lib.why.asking import ROOT, ask
    from pipeline_lib.why.causes import Code
    from pipeline_lib.why.modules import RECORD, read_versions
    from pipeline_lib.why.records import Records
    from pipeline_lib.why.words import explain

    folder: Path = arguments.directory
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; name the one that holds results/.")
    options = ["--use-conda"] if arguments.use_conda else []
    if arguments.config:
        options += ["--config", *arguments.config]
    if arguments.configfile:
        options += ["--configfile", *(str(path.resolve()) for path in arguments.configfile)]
    plan = ask(arguments.target, folder, options)
    code = Code(ROOT, read_versions(folder / "results" / RECORD))
    text = explain(arguments.target, plan, Records(folder), code, everything=arguments.all)
    sys.stdout.write(text + "\n")
    return 1 if plan else 0
