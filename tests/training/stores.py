"""Small slice stores with a truth that a network can learn."""

from pathlib import Path

import numpy as np

from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.slices.unpair import UnpairSettings, draw_unpaired, write_draws

CONTRASTS = {
    "PDw": Sequence("SE", te=0.008, tr=4.5),
    "T2w": Sequence("SE", te=0.120, tr=4.5),
    "T1w": Sequence("SE", te=0.008, tr=0.4),
}
SIZE, SLICES = 32, 4


def write_patient(
    folder: Path,
    patient: str,
    seed: int,
    slices: int = SLICES,
    radius: float = SIZE / 3,
    size: int = SIZE,
) -> PatientSlices:
    """Write a disc of two tissues whose contrasts differ by fixed factors."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] - size / 2
    body = np.broadcast_to(np.hypot(rows, columns) < radius, (slices, size, size))
    inner = np.hypot(rows[None] - rng.uniform(-4, 4, (slices, 1, 1)), columns) < 5
    tissues = np.where(body, 1 + inner, 0).astype(np.uint8)
    values = np.array([[0, 0, 0], [0.9, 0.2, 0.5], [0.7, 0.6, 0.2]])  # [tissue, contrast]
    images = np.moveaxis(values[tissues], -1, 1) + rng.normal(0, 0.01, (slices, 3, size, size))
    store = PatientSlices(
        patient=patient,
        contrasts=CONTRASTS,
        images=images.astype(np.float32),
        body=body.astype(np.uint8),
        tissues=tissues,
        tissue_names={1: "muscle", 2: "bladder"},
        sessions=(patient,) * slices,
        indices=tuple(range(slices)),
        scale=1.0,
        spacing=(1.0, 1.0),
        geometry={},
    )
    store.write(folder / patient)
    return PatientSlices.open(folder / patient)


def write_dataset(folder: Path, splits: dict[str, str], size: int = SIZE) -> list[Path]:
    """Write a store a patient, split.csv of fold 0 and unpaired.csv; gives the slice folders."""
    stores = [
        write_patient(folder / "slices", patient, seed, radius=size / 3, size=size)
        for seed, patient in enumerate(splits)
    ]
    lines = [f"0,{patient},{patient},{split},," for patient, split in splits.items()]
    header = "fold,patient,anatomy,split,slice,contrast"
    (folder / "split.csv").write_text("\n".join([header, *lines]) + "\n")
    draws = draw_unpaired(stores, UnpairSettings(mode="random_shift", max_shift=3), seed=0)
    write_draws(folder / "unpaired.csv", draws)
    return [folder / "slices" / patient for patient in splits]
