"""`recontrast simulate`: virtual patients as a BIDS dataset with their truth."""

import argparse
import re
import sys
import time
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError

SUMMARY = "make virtual patients: a BIDS dataset of raw scans, with the truth beside them"
ROOT = Path(__file__).parents[2]
PROTOCOLS = ("simko2021", "alkan2017", "crl2024", "narang2022")
PATIENTS = 3
EXAMPLE = """examples:
  recontrast simulate --output virtual
      three pelvis patients with the five contrasts of Simko et al. 2021, 256 x 256 x 24 voxels
  recontrast simulate --output heads --anatomy brain --spacing 0.9 0.9 6 --patients 5 \\
      --contrast T1w=SE,te=0.012,tr=0.6 --contrast FLAIR=IR-FSE,te=0.1,tr=9,ti=2.5,te_last=0.16
  recontrast simulate --output cohort --config config/experiments/crl2024.yaml --scale reduced

The patients and what they are made with are the workflow's: the same settings give the same bytes.
Patients that are there already are kept, so that the same command goes on from where it stopped.
Every option that is left out has the default of the configuration (config/README.md)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast simulate`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLE
    parser.add_argument("--output", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--overwrite", action="store_true", help="make all patients anew")
    _add_patients(parser.add_argument_group("patients"))
    _add_contrasts(parser.add_argument_group("contrasts"))
    _add_scanner(parser.add_argument_group("scanner"))
    part = parser.add_argument_group("a dataset of the workflow instead")
    part.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration; what is given besides wins"
    )
    part.add_argument("--scale", help="of the configuration: smoke, reduced or paper")


def _add_patients(part: argparse._ArgumentGroup) -> None:
    part.add_argument("--patients", type=int, metavar="N", help=f"how many (default: {PATIENTS})")
    part.add_argument("--anatomy", help="pelvis, brain or mrilab (default: the protocol's)")
    part.add_argument("--label-file", metavar="FILE", help="of mrilab: path of BrainModel.mat")
    part.add_argument("--field-strength", type=_number, metavar="TESLA", help="1.5 or 3")
    part.add_argument("--seed", type=int, help="every random draw begins here (default: 2021)")
    part.add_argument(
        "--dataset",
        metavar="NAME",
        help="which one of the configuration; else a name that patients are drawn from too "
        "(default: the protocol's, or virtual)",
    )


def _add_contrasts(part: argparse._ArgumentGroup) -> None:
    part.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        help="contrasts, reference and anatomy of a paper (default without --contrast: simko2021)",
    )
    part.add_argument(
        "--contrast",
        action="append",
        type=_contrast,
        default=[],
        metavar="NAME=KIND,te=S,tr=S[,...]",
        help="one more contrast: SE, FSE, IR-SE or IR-FSE and its times in seconds (te, tr, ti, "
        "te_last), echoes of the train, refocusing in degrees",
    )
    part.add_argument(
        "--reference",
        metavar="NAME",
        help="contrast in which nobody has moved, and that sets gain and noise (default: the "
        "protocol's, or the first)",
    )


def _add_scanner(part: argparse._ArgumentGroup) -> None:
    part.add_argument("--size", type=int, nargs=3, metavar=("X", "Y", "Z"), help="voxels")
    part.add_argument("--spacing", type=_number, nargs=3, metavar=("X", "Y", "Z"), help="mm")
    part.add_argument("--slice-thickness", type=_number, metavar="MM", help="if not the spacing")
    part.add_argument("--signal", help="equation: exact, simko, or epg for imperfect pulses")
    part.add_argument(
        "--noise", type=_number, metavar="SHARE", help="SD, of the reference's brightest tissue"
    )
    part.add_argument(
        "--bias-field", type=_number, metavar="SHARE", help="of the receive coil, peak to peak"
    )
    part.add_argument(
        "--motion",
        type=_number,
        nargs=2,
        metavar=("MM", "DEGREES"),
        help="at most, between contrasts",
    )
    part.add_argument(
        "--b1-field", type=_number, metavar="SHARE", help="of the flip angles, peak to peak (epg)"
    )
    part.add_argument("--b0-field", type=_number, metavar="PPM", help="peak, off the resonance")
    part.add_argument("--bandwidth", type=_number, metavar="HZ", help="a pixel of the readout")
    part.add_argument(
        "--k-space", type=_number, metavar="SHARE", help="of the lines that are acquired"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make the patients that are not there yet; a line each.

    Raises
    ------
    InputError
        If a setting is wrong, or if the folder holds something else, or patients of other settings.
    """
    from pipeline_lib.phantom.folder import DatasetFolder
    from pipeline_lib.phantom.request import requested

    request = requested(arguments, ROOT)
    folder = DatasetFolder(arguments.output, request.options)
    try:
        kept = folder.prepare(request.patients, arguments.overwrite)
        for patient in request.patients:
            if patient in kept:
                _tell(f"{patient}: kept")
                continue
            start = time.perf_counter()
            folder.add(patient)
            _tell(f"{patient}: {time.perf_counter() - start:.1f} s")
    except OSError as error:
        raise InputError(f"{arguments.output} can't be written ({error}).") from None
    contrasts = ", ".join(request.options["contrasts"])
    _tell(f"{arguments.output} holds {len(folder.patients())} patients: {contrasts}")
    return 0


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _number(text: str) -> float:
    """Whole numbers stay whole, so that the settings read like those of a configuration."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number is wanted, not {text}") from None
    return int(value) if value.is_integer() and "." not in text else value


def _contrast(text: str) -> tuple[str, dict[str, Any]]:
    parts = re.fullmatch(r"(\w+)=([\w-]+)((?:,\w+=[^,=]+)+)", text.replace(" ", ""))
    if not parts:
        raise argparse.ArgumentTypeError(
            f"a contrast is written like T1w=SE,te=0.008,tr=0.4, not {text}"
        )
    name, kind, values = parts.groups()
    pairs = (pair.split("=") for pair in values[1:].split(","))
    return name, {"sequence": kind, **{key: _number(value) for key, value in pairs}}
