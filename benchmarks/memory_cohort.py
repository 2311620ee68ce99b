"""Results folders of as many patients as wanted, each so small that they cost nothing to make.

All patients share the arrays of one, as hard links; names and tables are their own.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from pipeline_lib.configuration import read_configuration
from pipeline_lib.quantify.derivatives import write_maps
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.tables import PARAMETERS, tissue_table
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

ROOT = Path(__file__).parents[1]
NAME = "cohort"
SIZE, SLICES = 32, 3
CONTRASTS = ("T2w75", "T1w400", "PDw")
TISSUES = {1: "fat", 2: "muscle"}
TRUTH = {"PD": (0.9, 0.8), "T1": (0.382, 1.412), "T2": (0.068, 0.05)}
PAIRS = [[source, target] for source in CONTRASTS for target in CONTRASTS if source != target]
PICTURES = ("register", "correct_bias", "segment")


def configuration() -> dict[str, Any]:
    """Read the models and settings of the example of a cohort, with three of its contrasts."""
    path = ROOT / "config/examples/pelvis_cohort.yaml"
    complete, _ = read_configuration(yaml.safe_load(path.read_text()), ROOT)
    [dataset] = complete["datasets"].values()
    contrasts = {name: dataset["contrasts"][name] for name in CONTRASTS}
    [experiment] = complete["experiments"].values()
    return {
        **complete,
        "datasets": {NAME: {**dataset, "contrasts": contrasts}},
        "experiments": {NAME: {**experiment, "dataset": NAME, "pairs": PAIRS}},
    }


def names(patients: int) -> list[str]:
    """Names of so many patients."""
    return [f"sub-{number:05d}" for number in range(patients)]


def make_cohort(folder: Path, patients: int) -> None:
    """Write what the stages of single patients would have left, for so many patients.

    Parameters
    ----------
    folder
        Gets `results/`.
    patients
        How many.
    """
    results, settings = folder / "results", configuration()
    sequences = {
        name: Sequence.from_mapping(values)
        for name, values in settings["datasets"][NAME]["contrasts"].items()
    }
    first, *others = names(patients)
    _first_patient(results, first, sequences)
    for patient in others:
        for stage in ("slices", "fit_maps", "quality", "check_scans"):
            _linked(results / stage / NAME, first, patient)
    path = results / "patients" / f"{NAME}.json"
    path.parent.mkdir()
    path.write_text(json.dumps({patient: patient for patient in names(patients)}))


def _linked(folder: Path, first: str, patient: str) -> None:
    """Give a patient the files of the first: links, or where they name it, files of its own."""
    for path in (folder / first).rglob("*"):
        own = folder / patient / str(path.relative_to(folder / first)).replace(first, patient)
        if path.is_dir():
            continue
        own.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".json", ".csv"):
            own.write_text(path.read_text().replace(first, patient))
            continue
        try:
            os.link(path, own)
        except OSError:  # no more links of one file than the file system allows
            shutil.copyfile(path, own)


def _first_patient(results: Path, patient: str, sequences: Mapping[str, Sequence]) -> None:
    rows, columns = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    distance = np.hypot(rows / 0.8, columns / 0.9)
    slice_labels = np.where(distance < 0.7, 2, np.where(distance < 1, 1, 0)).astype(np.uint8)
    labels = np.repeat(slice_labels[None], SLICES, axis=0)
    maps = {name: np.array([0.0, *values])[labels] for name, values in TRUTH.items()}
    random, inside = np.random.default_rng(0), labels > 0
    images = np.zeros((SLICES, len(sequences), SIZE, SIZE), dtype=np.float32)
    for place, sequence in enumerate(sequences.values()):
        own = [maps[name][inside] for name in PARAMETERS]
        images[:, place][inside] = signal(sequence, *own)
    images += random.normal(0, 0.01, images.shape).astype(np.float32)
    slices = PatientSlices(
        patient=patient,
        contrasts=sequences,
        images=images,
        body=(labels > 0).astype(np.uint8),
        tissues=labels,
        tissue_names=TISSUES,
        sessions=(patient,) * SLICES,
        indices=tuple(range(SLICES)),
        scale=800.0,
        spacing=(1.0, 1.0),
        geometry={patient: {"affine": np.eye(4).tolist(), "slices": SLICES}},
    )
    slices.write(results / "slices" / NAME / patient)
    _write_maps(results / "fit_maps" / NAME / patient, slices, maps)
    _write_quality(results, patient, sequences, random)


def _write_maps(folder: Path, slices: PatientSlices, maps: Mapping[str, np.ndarray]) -> None:
    inside = slices.body > 0
    values = {
        **{name: of.astype(np.float32) for name, of in maps.items()},
        **{f"{name}_bound": np.where(inside, 0.05 * of, np.inf) for name, of in maps.items()},
        "residual": np.zeros(inside.shape, dtype=np.float32),
        "iterations": np.full(inside.shape, 5, dtype=np.uint8),
        "flag": np.where(inside, Flag.CONVERGED, Flag.NOT_FITTED).astype(np.uint8),
    }
    write_maps(folder, slices, values, {})
    table = tissue_table(slices.patient, values, slices.tissues, slices.tissue_names, None)
    table.to_csv(folder / "tissues.csv", index=False)


def _write_quality(
    results: Path, patient: str, sequences: Mapping[str, Sequence], random: np.random.Generator
) -> None:
    checked = {
        name: {**sequence.to_mapping(), "shape": [SIZE, SIZE, SLICES], "spacing": [1.0, 1.0, 5.0]}
        for name, sequence in sequences.items()
    }
    path = results / "check_scans" / NAME / patient / "scans.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(checked))
    folder = results / "quality" / NAME / patient
    folder.mkdir(parents=True)
    for stage in PICTURES:
        picture = random.integers(0, 255, (60, 180, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{stage}.png")
    registered = {
        name: {"transform": "rigid", "residual_mm": random.uniform(), "residual_kind": "estimated"}
        for name in sequences
    }
    (folder / "registration.json").write_text(json.dumps(registered))
    rows = [(name, of, 500, 0.15, 0.06) for name in sequences for of in TISSUES.values()]
    table = pd.DataFrame(rows, columns=["contrast", "tissue", "n", "cv_raw", "cv_corrected"])
    table.to_csv(folder / "bias.csv", index=False)
