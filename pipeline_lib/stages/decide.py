"""Ask a trained discriminator of Simko et al. 2021 which contrast images of many TE and TR have."""

import logging
import zlib
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Listing
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.noise import noise_sigma
from pipeline_lib.files import written_whole
from pipeline_lib.signal.equations import Form
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.slices.store import PatientSlices, opened
from pipeline_lib.slices.truth import gain_of, read_true_maps
from pipeline_lib.stages.command import run_stage, stage_parser
from pipeline_lib.training.card import read_card
from pipeline_lib.training.decisions import (
    Point,
    Shown,
    acquired_points,
    generated,
    grid,
    load_reader,
    read_decisions,
    trained_contrasts,
)
from pipeline_lib.training.job import folders_by_split
from pipeline_lib.training.machine import this_machine
from pipeline_lib.training.systems import load_model

LOG = logging.getLogger(__name__)

SLICES = 8  # of each patient, evenly spaced, at most


def main() -> None:
    """Draw the decision boundaries of one model and fold."""
    parser = stage_parser(__doc__)
    parser.add_argument(
        "--slices", type=Path, nargs="+", required=True, help="all patients' slices"
    )
    parser.add_argument("--split", type=Path, required=True, help="table of the patient split")
    parser.add_argument("--fold", type=int, required=True, help="which fold of the split")
    parser.add_argument("--model", type=Path, required=True, help="folder of the trained model")
    parser.add_argument(
        "--truth", type=Path, nargs="*", default=[], help="folders of virtual patients' truth"
    )
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    arguments = parser.parse_args()

    contrasts = trained_contrasts(arguments.model)
    reader, model = load_reader(arguments.model), load_model(arguments.model)
    machine = this_machine(read_card(arguments.model)["settings"]["precision"])
    machine.place(reader.network)
    machine.place(model)
    folders = folders_by_split(arguments.slices, arguments.split, arguments.fold)["test"]
    patients = opened(folders)
    check_patients(patients, list(contrasts))
    truth = truth_of(patients, arguments.truth)

    points, names = grid(contrasts), list(contrasts)
    made = (
        shown
        for slices in patients
        for shown in generated(model, slices, looked_at(slices), names, points, machine)
    )
    if truth:
        seed, form = arguments.options["seed"], arguments.options["signal"]
        points_acquired = points
        acquired = (
            scanned(slices, truth[slices.patient], names, points, seed, form) for slices in patients
        )
    else:
        on_lines, points_acquired = acquired_points(contrasts)
        acquired = (as_acquired(slices, on_lines) for slices in patients)
    tables = [
        read_decisions(reader, acquired, points_acquired, "acquired", machine),
        read_decisions(reader, made, points, "generated", machine),
    ]
    with written_whole(arguments.output) as path:
        pd.concat(tables, ignore_index=True).to_csv(path, index=False)


def looked_at(slices: PatientSlices) -> list[int]:
    """Choose slices of a patient, evenly spaced from the first to the last."""
    count = min(SLICES, len(slices))
    return [int(row) for row in np.unique(np.linspace(0, len(slices) - 1, count).round())]


def scanned(
    slices: PatientSlices,
    truth: Path,
    contrasts: Iterable[str],
    points: Listing[Point],
    seed: int,
    form: Form,
) -> Shown:
    """Give the images that the patient's scanner would have acquired at all points.

    The signal equation on the true maps, on the patient's scale (see `slices.truth.gain_of`), with
    Rician noise of the SD that the patient's scans have (the median over their contrasts). There
    is no motion in them, and no bias field.

    Parameters
    ----------
    slices
        The patient.
    truth
        Folder of its true maps.
    contrasts
        Acquired contrasts that scale and noise are told from.
    points
        What to acquire.
    seed
        Of the noise, together with the patient's name and the times.
    form
        Of the signal equation.
    """
    rows, names = looked_at(slices), list(contrasts)
    maps = read_true_maps(truth, slices, rows)
    gain = gain_of(maps, slices, rows, names, form)
    labels = (slices.body[rows] > 0) * (1 + slices.tissues[rows].astype(int))
    order = list(slices.contrasts)
    sigma = float(
        np.median([noise_sigma(slices.images[rows, order.index(name)], labels) for name in names])
    )
    LOG.info("%s: a signal of 1 is %.3f of its scale, noise %.4f", slices.patient, gain, sigma)
    images = []
    for _, sequence in points:
        times = f"{sequence.te:.6g} {sequence.tr:.6g}"
        draws = [seed, *(zlib.crc32(text.encode()) for text in (slices.patient, times))]
        clean = gain * maps.measured(sequence, form)
        images.append(with_rician_noise(clean, sigma, np.random.default_rng(draws)))
    return Shown(torch.from_numpy(np.stack(images, axis=1)), _body(slices, rows))


def as_acquired(slices: PatientSlices, contrasts: Iterable[str]) -> Shown:
    """Give the acquired images of these contrasts."""
    rows, order = looked_at(slices), list(slices.contrasts)
    images = [slices.images[rows, order.index(name)] for name in contrasts]
    return Shown(torch.from_numpy(np.stack(images, axis=1)), _body(slices, rows))


def check_patients(patients: Listing[PatientSlices], contrasts: Iterable[str]) -> None:
    """Refuse patients without a contrast that the model was trained on.

    Raises
    ------
    InputError
        If there is one, or no patient at all.
    """
    if not patients:
        raise InputError("the split has no test patient in this fold; give `test` a patient")
    for slices in patients:
        missing = [name for name in contrasts if name not in slices.contrasts]
        if missing:
            raise InputError(
                f"{slices.patient} has no {missing[0]}, which the model was trained on; it has "
                f"{', '.join(slices.contrasts)}."
            )


def truth_of(patients: Iterable[PatientSlices], folders: Iterable[Path]) -> Mapping[str, Path]:
    """Give the folder of each patient's truth; nothing where none is given.

    Raises
    ------
    InputError
        If some are given, but not those of all patients.
    """
    of_patient = {folder.name: folder for folder in folders}
    missing = [slices.patient for slices in patients if slices.patient not in of_patient]
    if of_patient and missing:
        raise InputError(f"--truth names no folder of {missing[0]}; give that of every patient")
    return of_patient


def _body(slices: PatientSlices, rows: Listing[int]) -> torch.Tensor:
    return torch.from_numpy(slices.body[rows] > 0)[:, None]


if __name__ == "__main__":
    run_stage(main)
