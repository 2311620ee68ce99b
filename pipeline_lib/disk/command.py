"""`recontrast disk`: what a configuration needs of the disk, before anything runs."""

import argparse
import sys
from pathlib import Path
from typing import Any

SUMMARY = "say what each stage of a configuration will write, what is there, and whether it fits"
ROOT = Path(__file__).parents[2]
DEFAULT = "config/config.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast disk`."""
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(),
        help="folder that the workflow runs in, which holds results/ or will (default: this one)",
    )
    # As Snakemake has them.
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], metavar="FILE")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE")
    parser.epilog = (
        "Give --configfile and --config as to Snakemake, scale=paper say. Nothing is run. Exit "
        "status: 0 if the rest fits on the disk, 1 if it doesn't, 2 if the configuration can't be "
        "used."
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the table of stages and two sentences; 0 if what is missing fits on the disk, else 1.

    Raises
    ------
    InputError
        If the folder, the configuration or raw scans are missing or wrong.
    """
    import contextlib

    from pipeline_lib.configuration import read_configuration
    from pipeline_lib.disk.need import needed, sentences
    from pipeline_lib.disk.table import described
    from pipeline_lib.errors import InputError

    folder: Path = arguments.directory
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; make it, or correct --directory.")
    files = [path.resolve() for path in arguments.configfile] or [folder.resolve() / DEFAULT]
    given = _read(files, arguments.config)
    with contextlib.chdir(folder):
        configuration, notices = read_configuration(given, ROOT)
        keeps = configuration["keep_intermediate"]
        parts = needed(configuration)
        notice, warning = sentences(parts, keeps, Path("results"))
        text = "\n".join([*notices, described(parts, Path("results")), "", notice])
    sys.stdout.write(f"{text}\n")
    if warning:
        sys.stdout.write(f"{warning}\n")
    return 1 if warning else 0


def _read(files: list[Path], settings: list[str]) -> dict[str, Any]:
    """Read a configuration as Snakemake does: later files win, and single settings last."""
    import yaml

    from pipeline_lib.composition import merged
    from pipeline_lib.errors import InputError

    found: dict[str, Any] = {}
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} is not there; name a configuration with --configfile.")
        try:
            found = merged(found, yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        except yaml.YAMLError as error:
            words = " ".join(str(error).split())
            raise InputError(f"{file} is no YAML: {words}; correct it.") from None
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise InputError(f"--config {setting} has no value; write {setting}=VALUE.")
        found = merged(found, {key: yaml.safe_load(value)})
    return found
