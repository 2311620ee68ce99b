"""Slices, predictions and quality control of fabricated results, in the stages' formats."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from pipeline_lib.quantify.derivatives import write_maps
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

SLICES = 3  # of each session
TISSUES = {1: "fat", 2: "muscle"}
TRUTH = {
    "fat": {"PD": 0.9, "T1": 0.382, "T2": 0.068},
    "muscle": {"PD": 0.8, "T1": 1.412, "T2": 0.05},
}
SEQUENCES = {
    "PDw": Sequence("SE", 0.008, 4.5),
    "T1w": Sequence("SE", 0.008, 0.4),
    "T2w": Sequence("SE", 0.075, 4.5),
    "FLAIR": Sequence("IR-FSE", 0.1, 9.0, 2.5),
    "default": Sequence("SE", 0.05, 4.5),
    "tr30te90": Sequence("SE", 0.09, 3.0),
    "tr34te40": Sequence("SE", 0.04, 3.4),
    "tr60te75": Sequence("SE", 0.075, 6.0),
    "tr80te120": Sequence("SE", 0.12, 8.0),
    **{f"seq{i}": Sequence("SE", 0.01 * i, 0.5 + 0.4 * i) for i in range(1, 10)},
}


def write_json(path: Path, content: object) -> None:
    """Write JSON into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_csv(path: Path, rows: list[dict]) -> None:
    """Write a table into a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def _picture(path: Path, random: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 255, (60, 180, 3), dtype=np.uint8)).save(path)


def dataset_files(
    root: Path, name: str, dataset: dict, size: int, random: np.random.Generator
) -> None:
    """Write all that the stages before the models leave of a dataset."""
    contrasts = {contrast: SEQUENCES[contrast] for contrast in dataset["contrasts"]}
    for session in dataset["sessions"]:
        write_json(
            root / f"check_scans/{name}/{session}/scans.json",
            {
                contrast: {
                    "path": f"{session}_{contrast}.nii.gz",
                    **sequence.to_mapping(),
                    "shape": [size, size, SLICES],
                    "spacing": [1.0, 1.0, 5.0],
                }
                for contrast, sequence in contrasts.items()
            },
        )
        virtual = dataset["kind"] == "virtual"
        write_json(
            root / f"quality/{name}/{session}/registration.json",
            {
                contrast: {
                    "transform": "rigid",
                    "residual_mm": 0.0
                    if contrast == dataset["reference"]
                    else random.uniform(0, 1),
                    "residual_kind": "simulated motion" if virtual else "estimated",
                }
                for contrast in contrasts
            },
        )
        write_csv(
            root / f"quality/{name}/{session}/bias.csv",
            [
                {"contrast": c, "tissue": t, "n": 500, "cv_raw": 0.15, "cv_corrected": 0.06}
                for c in contrasts
                for t in TISSUES.values()
            ],
        )
        for stage in ("register", "segment", "correct_bias"):
            _picture(root / "quality" / name / session / f"{stage}.png", random)
    patients: dict[str, list[str]] = {}
    for session, patient in dataset["sessions"].items():
        patients.setdefault(patient, []).append(session)
    for patient, sessions in patients.items():
        _slices(root, name, patient, sessions, contrasts, size, random)


def anatomy(random: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and PD, T1, T2 [3, row, column] of an ellipse of fat around muscle."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    distance = np.hypot(rows / random.uniform(0.6, 0.9), columns / random.uniform(0.7, 0.95))
    labels = np.where(distance < 0.7, 2, np.where(distance < 1, 1, 0))
    maps = np.zeros((3, size, size))
    for label, tissue in TISSUES.items():
        for i, parameter in enumerate(("PD", "T1", "T2")):
            maps[i][labels == label] = TRUTH[tissue][parameter]
    return labels.astype(np.uint8), maps


def _slices(root, dataset, patient, sessions, contrasts, size, random) -> None:
    labels, maps = anatomy(random, size)
    origins = [(session, index) for session in sessions for index in range(SLICES)]
    inside = labels > 0
    images = np.zeros((len(origins), len(contrasts), size, size), dtype=np.float32)
    for i, sequence in enumerate(contrasts.values()):
        images[:, i, inside] = signal(sequence, maps[0][inside], maps[1][inside], maps[2][inside])
    images += random.normal(0, 0.01, images.shape[2:]).astype(np.float32)
    repeated = np.repeat(labels[None], len(origins), axis=0)
    affine = np.eye(4).tolist()
    slices = PatientSlices(
        patient=patient,
        contrasts=contrasts,
        images=images,
        body=(repeated > 0).astype(np.uint8),
        tissues=repeated,
        tissue_names=TISSUES,
        sessions=tuple(session for session, _ in origins),
        indices=tuple(index for _, index in origins),
        scale=800.0,
        spacing=(1.0, 1.0),
        geometry={session: {"affine": affine, "slices": SLICES} for session in sessions},
    )
    slices.write(root / f"slices/{dataset}/{patient}")
    if len(contrasts) > 2:
        values = fitted(maps, labels)
        stacks = {name: np.repeat(value[None], len(origins), 0) for name, value in values.items()}
        write_maps(root / f"fit_maps/{dataset}/{patient}", slices, stacks, {})


def fitted(maps: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Maps of a slice as a fit leaves them: bounds of 5 %, in fat 30 % of T2, some bad flags."""
    inside = labels > 0
    flags = np.where(inside, Flag.CONVERGED, Flag.NOT_FITTED).astype(np.uint8)
    rows, columns = np.nonzero(inside)
    for i, flag in enumerate(Flag):
        flags[rows[i::97], columns[i::97]] = max(flag, Flag.CONVERGED)
    values = dict(zip(("PD", "T1", "T2"), maps.astype(np.float32), strict=True))
    bounds = {f"{name}_bound": value * np.float32(0.05) for name, value in values.items()}
    bounds["T2_bound"][labels == 1] *= 6
    zero = np.zeros(labels.shape, dtype=np.float32)
    return {**values, **bounds, "residual": zero, "iterations": zero, "flag": flags}


def prediction_files(root, folder, dataset, tested, contrasts, pairs, level, maps, random) -> None:
    """Write a run's answers: the targets with noise of a level, and maps where it has some."""
    stores = [PatientSlices.open(root / f"slices/{dataset}/{patient}") for patient in tested]
    index = [
        {"patient": store.patient, "session": session, "slice": i}
        for store in stores
        for i, session in enumerate(store.sessions)
    ]
    write_csv(folder / "index.csv", index)
    targets = np.concatenate([store.images for store in stores])
    images = targets[:, [contrasts.index(target) for _, target in pairs]]
    images += random.normal(0, level / 8, images.shape[-2:])
    np.save(folder / "predictions.npy", images.astype(np.float16))
    sources = list(dict.fromkeys(source for source, _ in pairs)) if maps else []
    write_json(
        folder / "predictions.json",
        {"contrasts": contrasts, "pairs": pairs, "map_sources": sources},
    )
    if sources:
        size = targets.shape[-1]
        values = np.zeros((len(targets), len(sources), 3, size, size), dtype=np.float16)
        values[:] = anatomy(random, size)[1]
        np.save(folder / "maps.npy", values)


def training_files(folder: Path, model: str, random: np.random.Generator) -> None:
    """Write the card and the losses of a training."""
    write_json(
        folder / "card.json",
        {"system": model, "settings": {"epochs": 2}, "torch": "2.13.0", "machine": "cpu"},
    )
    rows = []
    names = {"simko": ["generator loss", "accuracy real", "accuracy fake", "accuracy GAN"]}
    for phase in {"simko": ("pretraining", "adversarial")}.get(model, ("training",)):
        for name in names.get(model, ["training loss", "validation nrmse"]):
            for step in range(0, 500, 20):
                rise = 1 - np.exp(-step / 150)
                value = rise if "accuracy" in name else 1 - 0.95 * rise
                value = float(np.clip(value + random.normal(0, 0.02), 0.01, 1))
                rows.append(
                    {"phase": phase, "step": step, "seconds": step / 10, "name": name,
                     "value": value}
                )  # fmt: skip
    write_csv(folder / "losses.csv", rows)
