"""Fit PD, T1 and T2 to all contrasts of a patient, within the tissues, and tabulate them."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json
from pipeline_lib.quantify.bounds import PARAMETERS
from pipeline_lib.quantify.fit import Maps, fit
from pipeline_lib.quantify.tables import tissue_table
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

    slices = PatientSlices.open(arguments.slices)
    # Without tissues the whole body is mapped, and the table has no rows.
    inside = slices.tissues > 0 if slices.tissue_names else slices.body > 0
    signals = np.moveaxis(slices.images, 1, -1)[inside]
    sequences = list(slices.contrasts.values())
    form = arguments.options["signal"]
    maps = fit(signals, sequences, form)
    report(slices.patient, maps)

    volumes = {}
    for name, values in zip(
        (*PARAMETERS, "cost"), (maps.pd, maps.t1, maps.t2, maps.cost), strict=True
    ):
        volumes[name] = np.zeros(inside.shape, dtype=np.float32)
        volumes[name][inside] = values
    truth = (
        read_truth(arguments.truth, dict.fromkeys(slices.sessions), slices.scale)
        if arguments.truth
        else None
    )
    table = tissue_table(
        slices.patient,
        volumes,
        volumes["cost"],
        np.asarray(slices.tissues),
        slices.tissue_names,
        sequences,
        truth,
        form,
    )
    with folder_written_whole(arguments.output) as folder:
        for name in PARAMETERS:
            np.save(folder / f"{name}map.npy", volumes[name])
        table.to_csv(folder / "tissues.csv", index=False)


def report(patient: str, maps: Maps) -> None:
    """Log how the fits ended."""
    LOG.info(
        "%s: %d voxels fitted, %d at a limit of T1 or T2, %d not converged",
        patient,
        len(maps.t1),
        maps.at_bound.sum(),
        (~maps.converged).sum(),
    )


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
