"""Fit PD, T1 and T2 to all contrasts of a patient, within the tissues, and tabulate them."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json
from pipeline_lib.quantify.derivatives import described, relative, write_maps
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.tables import PARAMETERS, tissue_table
from pipeline_lib.quantify.volumes import fit_volumes, gains_of
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages.command import run_stage, stage_parser

LOG = logging.getLogger(__name__)


def main() -> None:
    """Read a patient's slices, write its maps and its table."""
    parser = stage_parser(__doc__)
    parser.add_argument("--slices", type=Path, required=True, help="folder of the slice store")
    parser.add_argument("--truth", type=Path, help="folder with *_truth.json of a virtual patient")
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    options = arguments.options

    slices = PatientSlices.open(arguments.slices)
    if options["rician"] and options["noise"] is None:
        raise InputError(
            "fit_maps.rician needs fit_maps.noise, the standard deviation of the noise in the raw "
            "scans; give it, or set rician to false."
        )
    # The noise is given in raw units, of which `scale` are 1 in the slices.
    noise = None if options["noise"] is None else options["noise"] / slices.scale
    # Without tissues the whole body is mapped, and the table has no rows.
    inside = slices.tissues > 0 if slices.tissue_names else slices.body > 0
    maps = fit_volumes(
        np.moveaxis(slices.images, 1, 0),
        list(slices.contrasts.values()),
        inside,
        options["signal"],
        gains=gains_of(slices.contrasts, options["gains"]),
        sigma=noise,
        rician=options["rician"],
    )
    report(slices.patient, maps.values["flag"])
    truth = (
        read_truth(arguments.truth, dict.fromkeys(slices.sessions), slices.scale)
        if arguments.truth
        else None
    )
    table = tissue_table(
        slices.patient, maps.values, np.asarray(slices.tissues), slices.tissue_names, truth
    )
    fields = described(
        slices.contrasts,
        options["signal"],
        maps.sigma,
        options["rician"],
        options["gains"],
        relative([arguments.slices], arguments.output.parent),
    )
    with folder_written_whole(arguments.output) as folder:
        write_maps(folder, slices, maps.values, fields)
        table.to_csv(folder / "tissues.csv", index=False)


def report(patient: str, flags: np.ndarray) -> None:
    """Log how the fits ended."""
    counts = ", ".join(
        f"{(flags == flag).sum()} {flag.name.lower().replace('_', ' ')}"
        for flag in Flag
        if flag != Flag.NOT_FITTED
    )
    LOG.info("%s: %d voxels fitted: %s", patient, (flags != Flag.NOT_FITTED).sum(), counts)


def read_truth(folder: Path, sessions: Iterable[str], scale: float) -> dict[str, dict[str, float]]:
    """Read the tissues of a virtual patient, averaged over its sessions.

    PD is brought to the scale of the slices: the scanner's gain made raw units of it, and `scale`
    raw units are 1 in the slices. (Bias correction may shift it by some percent.)

    Raises
    ------
    InputError
        If a session has no truth, or one without the entries that are read.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for session in sessions:
        path = folder / f"{session}_truth.json"
        content = read_json(path)
        try:
            for tissue, values in content["tissues"].items():
                found.setdefault(tissue, []).append(
                    {
                        "PD": values["pd"] * content["gain"] / scale,
                        "T1": values["t1"],
                        "T2": values["t2"],
                    }
                )
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path} has no {error}; a virtual patient's truth names gain and the pd, t1 and "
                "t2 of its tissues: simulate it again."
            ) from None
    return {
        tissue: {name: float(np.mean([each[name] for each in values])) for name in PARAMETERS}
        for tissue, values in found.items()
    }


if __name__ == "__main__":
    run_stage(main)
