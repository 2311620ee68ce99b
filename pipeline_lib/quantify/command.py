"""`recontrast fit SCANS`: PD, T1 and T2 of any spin-echo scans, without the workflow."""

import argparse
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_lib.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from pipeline_lib.quantify.inputs import Scans

SUMMARY = "fit PD, T1 and T2 to scans of several contrasts; writes maps with bounds and flags"
TIMES = ("te", "tr", "ti", "te_last")
EXAMPLE = """examples:
  recontrast fit study/sub-01 --output study/derivatives/recontrast
  recontrast fit t2w.nii.gz t1w.nii.gz pdw.nii.gz --output maps --picture maps.png \\
      --sequence t2w=SE,te=0.075,tr=4.5 --sequence t1w=SE,te=0.008,tr=0.4 \\
      --sequence pdw=SE,te=0.008,tr=4.5

What it writes is a BIDS derivative: sub-01/anat/sub-01_T1map.nii.gz (s), _T2map (s) and _PDmap (in
the unit of the scans), the Cramér-Rao bound of each (desc-bound), residual, iterations and flag
(desc-..._fit), and sub-01/tissues.tsv. Scans without BIDS names are those of sub-01.
Exit status: 0, or 2 if the input is bad, after one sentence about it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `recontrast fit`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLE
    add = parser.add_argument
    add("scans", metavar="SCAN", nargs="+", type=Path,
        help="NIfTI files on one grid, at least 3 contrasts; or the folder of a patient or session "
        "in BIDS, for all scans in it")  # fmt: skip
    add("--output", type=Path, required=True, help="folder of the maps")
    add("--mask", type=Path, help="where to fit (default: in the tissues, else in the body)")
    add("--tissues", type=Path,
        help="segmentation, its names beside it in .tsv or .json: each tissue, without its "
        "outermost voxels, gets its rows in the table")  # fmt: skip
    add("--sequence", metavar="SCAN=KIND,te=S,tr=S", type=_sequence, action="append", default=[],
        help="kind (SE, FSE, IR-SE, IR-FSE) and times te, tr, ti, te_last (seconds) of a scan; "
        "what is not given is read from the JSON beside it")  # fmt: skip
    add("--gain", metavar="SCAN=NUMBER", type=_gain, action="append", default=[],
        help="how many times brighter than the others the scanner made a scan")  # fmt: skip
    add("--noise", metavar="SD", type=_positive,
        help="standard deviation of the noise, in the unit of the scans (default: from what the "
        "fit leaves over, with 4 contrasts or more)")  # fmt: skip
    add("--rician", action="store_true",
        help="maximum likelihood of Rician noise, for dark scans; needs --noise")  # fmt: skip
    add("--signal", choices=("exact", "simko"), default="exact",
        help="signal equation: exact, or Eq. 1 of Simko et al. 2021")  # fmt: skip
    add("--picture", metavar="PNG", type=Path, help="draw maps, bounds and flags of one slice")
    add("--slice", metavar="N", type=int, help="the slice to draw (default: the middle one)")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu")
    add("--threads", metavar="N", type=_count, help="of the processor (default: all)")


def run(arguments: argparse.Namespace) -> int:
    """Fit, write the maps and the table, and say how it went; gives 0.

    Raises
    ------
    InputError
        If the scans or the options are bad.
    """
    import torch

    from pipeline_lib.quantify.derivatives import check_place, described, relative
    from pipeline_lib.quantify.inputs import by_contrast, find_scans, read_scans
    from pipeline_lib.quantify.tables import tissue_table
    from pipeline_lib.quantify.volumes import fit_volumes, gains_of

    if arguments.rician and arguments.noise is None:
        raise InputError("--rician needs --noise, the standard deviation of the noise.")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no GPU that PyTorch can use; leave --device out.")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    check_place(arguments.output)
    paths = find_scans(arguments.scans)
    scans = read_scans(paths, dict(arguments.sequence))
    for name, sequence in scans.sequences.items():
        if arguments.signal == "simko" and sequence.has_inversion:
            raise InputError(
                f"--signal simko has no inversion pulse, but {name} has one; leave the option out."
            )
    gains = by_contrast(dict(arguments.gain), paths, scans.session, "--gain")
    region = scans.region(arguments.mask, arguments.tissues)
    if arguments.slice is not None and not 0 <= arguments.slice < len(region.inside):
        raise InputError(
            f"--slice is {arguments.slice}, but the scans have the slices 0 to "
            f"{len(region.inside) - 1}."
        )
    start = time.perf_counter()
    maps = fit_volumes(
        scans.images,
        list(scans.sequences.values()),
        region.inside,
        arguments.signal,
        gains=gains_of(scans.sequences, gains),
        sigma=arguments.noise,
        rician=arguments.rician,
        device=arguments.device,
    )
    seconds = time.perf_counter() - start
    table = tissue_table(scans.patient, maps.values, region.tissues, region.names)
    fields = described(
        scans.sequences,
        arguments.signal,
        maps.sigma,
        arguments.rician,
        gains,
        relative(paths, arguments.output),
    )
    _write(arguments.output, scans, maps.values, table.drop(columns="truth"), fields)
    if arguments.picture:
        _draw(arguments.picture, scans, maps.values, arguments.slice)
    sys.stdout.write(_endings(scans.session, maps.values["flag"], seconds))
    sys.stdout.write(_as_text(table))
    return 0


def _write(
    output: Path,
    scans: "Scans",
    values: Mapping[str, "np.ndarray"],
    table: "pd.DataFrame",
    fields: Mapping[str, Any],
) -> None:
    from pipeline_lib.files import written_whole
    from pipeline_lib.quantify.derivatives import path_of, write_description, write_volumes

    folder = output / scans.patient
    write_volumes(folder, scans.session, values, scans.affine, fields)
    write_description(output, "PD, T1 and T2 of each voxel")
    with written_whole(path_of(folder, scans.session, "T1").parents[1] / "tissues.tsv") as path:
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def _draw(
    picture: Path, scans: "Scans", values: Mapping[str, "np.ndarray"], place: int | None
) -> None:
    from pipeline_lib.imaging.scans import spacing_of
    from pipeline_lib.quantify.picture import draw_maps, middle_slice

    place = middle_slice(values["flag"]) if place is None else place
    shown = {name: volume[place] for name, volume in values.items()}
    _, *spacing = spacing_of(scans.affine)
    draw_maps(picture, shown, (spacing[0], spacing[1]), f"{scans.session}, slice {place}")


def _endings(session: str, flags: "np.ndarray", seconds: float) -> str:
    """Say how many voxels got which flag."""
    from pipeline_lib.quantify.derivatives import LEVELS
    from pipeline_lib.quantify.flags import Flag

    fitted = int((flags != Flag.NOT_FITTED).sum())
    lines = [f"{session}: {fitted} voxels fitted in {seconds:.1f} s"]
    for flag, text in LEVELS.items():
        count = int((flags == flag).sum())
        if flag != Flag.NOT_FITTED and count:
            lines.append(f"{count:10d} {100 * count / fitted:6.2f} %  {text}")
    return "\n".join(lines) + "\n\n"


def _as_text(table: "pd.DataFrame") -> str:
    """Write the table for people: times in seconds, bound and converged in per cent."""
    head = ("tissue", "map", "n", "mean", "SD", "median", "bound", "converged")
    units = {"PD": "PD", "T1": "T1 (s)", "T2": "T2 (s)"}
    lines = [head]
    for row in table.to_dict("records"):
        numbers = [f"{row[name]:.4g}" for name in ("mean", "sd", "median")]
        bound = f"{100 * row['bound_relative']:.1f} %" if row["bound_relative"] >= 0 else "unknown"
        converged = f"{100 * row['converged']:.1f} %"
        words = (row["tissue"], units[row["parameter"]], str(row["n"]))
        lines.append((*words, *numbers, bound, converged))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(
            word.ljust(width) if place < 2 else word.rjust(width)
            for place, (word, width) in enumerate(zip(line, widths, strict=True))
        )
        + "\n"
        for line in lines
    )


def _sequence(text: str) -> tuple[str, dict[str, str | float]]:
    """Read `SCAN=KIND,te=S,tr=S`."""
    name, _, rest = text.partition("=")
    values: dict[str, str | float] = {}
    try:
        for part in rest.split(","):
            key, equals, value = part.partition("=")
            if not equals and key:
                values["sequence"] = key
            elif key in TIMES:
                values[key] = float(value)
            else:
                raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"t2w=SE,te=0.075,tr=4.5 is wanted (of {', '.join(TIMES)}, in seconds), not {text}"
        ) from None
    return name, values


def _gain(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, _positive(value)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number above 0 is wanted, not {text}")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"a number above 0 is wanted, not {text or 'nothing'}")
    return value
