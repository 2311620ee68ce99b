"""All metrics of 1,000 slices against 5 targets, beside plain calls of scikit-image a slice.

    python -m benchmarks.evaluate --output benchmarks/results/DATE-evaluate.md

Predictions are float16 as the stage `predict` writes them, in patients of 100 slices of 256 x 256
with a body and six tissues; each is scored for 5 pairs of different targets, from finding the
regions to the rows of the table. The plain side calls for every slice scikit-image's SSIM
(Gaussian, with its map, which is averaged over the body), blur_effect of both images,
normalized_mutual_information and PSNR, and NumPy's MAE: over no tissue, and without SSIM through
slices. It gets some slices only, and its time is scaled by their number. On both sides two
processes of one thread work side by side, as the workflow runs its stages; each times its own
patients, and the sum is divided by two. Seconds of the processor beside those of the clock show
what other work on a shared machine adds.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage
import torch
from skimage.measure import blur_effect
from skimage.metrics import (
    normalized_mutual_information,
    peak_signal_noise_ratio,
    structural_similarity,
)

from pipeline_lib.evaluation.scoring import score_patient
from pipeline_lib.evaluation.windows import device
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices

SIZE, OF_PATIENT, TARGETS, TISSUES = 256, 100, 5, 6
# All pairs have their own target, and a source that costs nothing.
PAIRS = [((target + 1) % TARGETS, target) for target in range(TARGETS)]


def some_patient(slices: int) -> PatientSlices:
    """Fill half of the frame with an ellipse of six sectors with texture and noise."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    inside = (rows / 0.9) ** 2 + (columns / 0.75) ** 2 < 1
    sector = np.floor((np.arctan2(rows, columns) / np.pi + 1) * TISSUES / 2).astype(int)
    labels = (inside * (1 + sector % TISSUES)).astype(np.uint8)
    values = draws.uniform(0.2, 0.9, (TARGETS, TISSUES + 1))[:, labels] * inside
    texture = 1 + 0.1 * np.sin(20 * rows) * np.cos(17 * columns)
    noise = draws.normal(0, 0.02, (slices, TARGETS, SIZE, SIZE)).astype(np.float32)
    return PatientSlices(
        patient="sub-001",
        contrasts={f"c{n}": Sequence("SE", te=0.01 * (n + 1), tr=2.0) for n in range(TARGETS)},
        images=np.abs((values * texture).astype(np.float32) + noise),
        body=np.repeat(inside[None].astype(np.uint8), slices, axis=0),
        tissues=np.repeat(labels[None], slices, axis=0),
        tissue_names={label: f"tissue{label}" for label in range(1, TISSUES + 1)},
        sessions=("sub-001",) * slices,
        indices=tuple(range(slices)),
        scale=1.0,
        spacing=(1.0, 1.0),
        geometry={},
    )


def predictions(patient: PatientSlices) -> np.ndarray:
    """Noisy predictions, float16 [slice, target, row, column]."""
    noise = np.random.default_rng(1).standard_normal(patient.images.shape, dtype=np.float32)
    return (patient.images + 0.05 * noise).astype(np.float16)


def ours(patient: PatientSlices, predicted: np.ndarray) -> int:
    """Score all slices of a patient; give the number of values."""
    ranges = dict.fromkeys(patient.contrasts, 1.0)
    scores = score_patient(Images(patient), lambda _, target: predicted[:, target], ranges, PAIRS)
    return len(scores)


def plain(patient: PatientSlices, predicted: np.ndarray) -> int:
    """Call scikit-image for each slice of the patient; give the number of values."""
    values = []
    for images, answers, body in zip(patient.images, predicted, patient.body > 0, strict=True):
        for true, answer in zip(images, answers.astype(np.float32), strict=True):
            _, similarity = structural_similarity(
                true,
                answer,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )
            values += [
                similarity[body].mean(),
                blur_effect(answer) / blur_effect(true),
                normalized_mutual_information(true[body], answer[body], bins=64),
                peak_signal_noise_ratio(true[body], answer[body], data_range=1.0),
                np.abs(true[body] - answer[body]).mean(),
            ]
    return len(values)


def timed(work: Callable[[PatientSlices, np.ndarray], int], slices: int) -> tuple[float, ...]:
    """Seconds of the clock and of the processor for a patient of so many slices, and peak GiB."""
    torch.set_num_threads(1)
    patient = some_patient(slices)
    predicted = predictions(patient)
    start = time.perf_counter(), time.process_time()
    work(patient, predicted)
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    return *seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(
    work: Callable[[PatientSlices, np.ndarray], int], patients: int, slices: int, workers: int
) -> tuple[np.ndarray, float]:
    """Seconds of the clock and of the processor for all patients, and peak GiB of a process."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        pool.starmap(timed, [(work, 2)] * workers, chunksize=1)
        found = np.array(pool.starmap(timed, [(work, slices)] * patients, chunksize=1))
    clock, processor = found[:, :2].sum(axis=0)
    return np.array([clock / workers, processor]), found[:, 2].max()


def row(name: str, seconds: np.ndarray, slices: int, fastest: np.ndarray) -> str:
    """Row of the table."""
    clock, processor = seconds
    each = 1000 * processor / slices / TARGETS
    slower = seconds / fastest
    return (
        f"| {name} | {clock:.1f} | {processor:.1f} | {each:.2f} | {slower[0]:.1f} | "
        f"{slower[1]:.1f} |\n"
    )


def main() -> None:
    """Measure both in one run, and print or write a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=1000, help=f"a multiple of {OF_PATIENT}")
    parser.add_argument("--plain-slices", type=int, default=20, help="a process, for scikit-image")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores, {platform.machine()}")
    parser.add_argument("--output", type=Path, help="table to write; else it is printed")
    arguments = parser.parse_args()
    patients, workers = arguments.slices // OF_PATIENT, arguments.workers
    slices = patients * OF_PATIENT
    here, peak = measured(ours, patients, OF_PATIENT, workers)
    there, _ = measured(plain, workers, arguments.plain_slices, workers)
    there *= slices / (workers * arguments.plain_slices)
    text = (
        "# All metrics of a model's predictions\n\n"
        f"`python -m benchmarks.evaluate --slices {slices} --plain-slices "
        f"{arguments.plain_slices}`: {slices:,} slices of {SIZE} x {SIZE} against {TARGETS} "
        f"targets, in patients of {OF_PATIENT} slices, with a body and {TISSUES} tissues. The "
        f"plain calls were timed on {workers} x {arguments.plain_slices} slices against {TARGETS} "
        "targets and scaled by the number of slices; they know no tissues and no SSIM through "
        f"slices. On both sides {workers} processes of one thread.\n\n"
        f"Machine: {arguments.machine}; metrics on the {device().type}. "
        f"Python {platform.python_version()}, torch {torch.__version__}, scikit-image "
        f"{skimage.__version__}. Peak memory of a process, the making of a patient's images "
        f"counted in: {peak:.1f} GiB.\n\n"
        "| | s | CPU s | CPU ms a slice and target | times s | times CPU s |\n"
        "|---|---|---|---|---|---|\n"
        + row("recontrast: all metrics, body and tissues", here, slices, here)
        + row("scikit-image and NumPy: fewer metrics, body (scaled)", there, slices, here)
    )
    if arguments.output:
        arguments.output.write_text(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
