"""What the size of a dataset's results follows from; standard library only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline_lib.batches import is_batch
from pipeline_lib.checks import kind_of
from pipeline_lib.raw_scans import RawScans, batches_of
from pipeline_lib.sizes import ASSUMED_SHAPE, Shape, nifti_shape, scan_shape, stored_pixels

# Bytes a voxel of float32 in .nii.gz: gzip takes off the exponents alone, and what is 0.
NOISY, NOISELESS = 3.6, 2.25
# Corrected scans against raw ones, which are whole numbers.
OF_CORRECTED, OF_RAW = NOISY, NOISY / 2.7
SAMPLED = 3


@dataclass(frozen=True)
class Data:
    """A dataset in numbers.

    Attributes
    ----------
    name, dataset
        Its name, and its section of the complete configuration.
    patients, sessions
        How many of them there are.
    patient_units, session_units
        How many folders they have in a stage's: as many, or one a batch that shares a job.
    voxels
        Of all raw scans of a session.
    grid
        Voxels of the reference's grid, on which all contrasts lie once they are registered.
    pixels
        Of all stored slices of a session, of one contrast.
    raw, corrected
        Bytes a voxel, compressed, of raw scans and of those made from them.
    """

    name: str
    dataset: Mapping[str, Any]
    patients: int
    sessions: int
    patient_units: int
    session_units: int
    voxels: float
    grid: float
    pixels: float
    raw: float
    corrected: float

    @property
    def contrasts(self) -> list[str]:
        """Names of the contrasts."""
        return list(self.dataset["contrasts"])


def data_of(
    name: str, dataset: Mapping[str, Any], raw_scans: RawScans, patients_per_job: int
) -> Data:
    """Describe a dataset by its configuration, and by the headers of three sessions at most.

    Parameters
    ----------
    name, dataset
        Of the dataset: its name, and its section of the complete configuration.
    raw_scans
        As of `raw_scans.find_raw_scans`.
    patients_per_job
        Of the configuration.
    """
    units = batches_of(dataset, raw_scans, patients_per_job)
    told = kind_of(dataset) in ("virtual", "pictures")
    scans = _of_configuration if told else _of_headers
    return Data(
        name,
        dataset,
        patients=sum(map(len, units.values())),
        sessions=len(raw_scans),
        patient_units=len(units),
        session_units=len(units) if any(map(is_batch, units)) else len(raw_scans),
        **scans(dataset, raw_scans),
    )


def _of_configuration(dataset: Mapping[str, Any], _: RawScans) -> dict[str, float]:
    """Size virtual scans and pictures, all alike."""
    shape = scan_shape(dataset)
    grid = float(math.prod(shape))
    virtual = dataset.get("virtual")
    density = NOISY if virtual and virtual["noise"] > 0 else NOISELESS
    return {
        "voxels": grid * len(dataset["contrasts"]),
        "grid": grid,
        "pixels": stored_pixels(dataset, shape) if virtual else grid,
        "raw": density,
        "corrected": density,
    }


def _of_headers(dataset: Mapping[str, Any], raw_scans: RawScans) -> dict[str, float]:
    """Size real scans, as those of the first, the middle and the last session are in the mean."""
    sessions = list(raw_scans)
    last = len(sessions) - 1
    places = sorted({round(last * step / (SAMPLED - 1)) for step in range(SAMPLED)})
    seen = [{c: Path(scan) for c, scan in raw_scans[sessions[at]].items()} for at in places]
    shapes = [{c: nifti_shape(path) or ASSUMED_SHAPE for c, path in each.items()} for each in seen]
    references = [each[dataset["reference"]] for each in shapes]
    raw = _raw_density(seen, shapes)
    return {
        "voxels": fmean(sum(map(math.prod, each.values())) for each in shapes),
        "grid": fmean(map(math.prod, references)),
        "pixels": fmean(stored_pixels(dataset, shape) for shape in references),
        "raw": raw,
        "corrected": min(OF_CORRECTED, raw * OF_CORRECTED / OF_RAW),
    }


def _raw_density(scans: list[dict[str, Path]], shapes: list[dict[str, Shape]]) -> float:
    """Bytes a voxel of compressed raw scans; that of noise everywhere where there are none yet."""
    sizes, voxels = 0, 0
    for paths, of in zip(scans, shapes, strict=True):
        for contrast, path in paths.items():
            if path.suffix == ".gz" and path.is_file():
                sizes += path.stat().st_size
                voxels += math.prod(of[contrast])
    return sizes / voxels if voxels else OF_RAW
