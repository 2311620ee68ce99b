"""How large the data of a configuration are: what a cluster job is given follows from it.

Standard library only, because the Snakefile imports it.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Shape = tuple[int, int, int]

# Where nothing tells the size: a whole head at 1 mm.
ASSUMED_SHAPE: Shape = (256, 256, 256)
AXES = {"sagittal": 0, "coronal": 1, "axial": 2}

# Where the sizes stand in the headers, by their length: format of all, place of the first.
HEADERS = {348: ("8h", 40), 540: ("8q", 16)}
HEADER_BYTES = 80


def scan_shape(dataset: Mapping[str, Any], scans: Iterable[Path] = ()) -> Shape:
    """Give the shape of a dataset's scans, without opening more than a header of each.

    Parameters
    ----------
    dataset
        Its section of the configuration; virtual scans and pictures have their size there.
    scans
        Some raw scans of it, all contrasts of a session, say; the largest counts.

    Returns
    -------
        Voxels in x, y and z; `ASSUMED_SHAPE` where no scan can be read yet.
    """
    if "virtual" in dataset:
        x, y, z = dataset["virtual"]["size"]
        return x, y, z
    if "pictures" in dataset:
        rows, columns = dataset["slices"]["size"]
        return rows, columns, 1
    found = [shape for shape in map(nifti_shape, scans) if shape is not None]
    return max(found, key=math.prod, default=ASSUMED_SHAPE)


def nifti_shape(path: Path) -> Shape | None:
    """Give the shape in the header of a NIfTI file, or `None` where there is none to read."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        for order in "<>":
            (length,) = struct.unpack_from(f"{order}i", header)
            if length in HEADERS:
                form, place = HEADERS[length]
                _, x, y, z, *_ = struct.unpack_from(order + form, header, place)
                return x, y, z
    except (OSError, EOFError, zlib.error, struct.error):
        return None
    return None


def slice_pixels(dataset: Mapping[str, Any]) -> int:
    """Give the pixels of one stored slice of one contrast."""
    return math.prod(dataset["slices"]["size"])


def stored_pixels(dataset: Mapping[str, Any], shape: Shape) -> int:
    """Give the pixels of all stored slices of one contrast of a session."""
    return slice_pixels(dataset) * shape[AXES[dataset["slices"]["orientation"]]]


def predicted_patients(split: Mapping[str, Any], patients: int) -> int:
    """Give the number of patients whose images a model of one fold predicts.

    Parameters
    ----------
    split
        Of an experiment, as the configuration has it.
    patients
        Of its dataset.
    """
    seen = int(split.get("seen", 0))
    if "folds" in split:
        return math.ceil(patients / split["folds"]) + seen
    test = split.get("test")
    if test is None:  # leaked: images of all its patients are held out
        return len(split.get("patients", ())) or patients
    return (len(test) if isinstance(test, list) else int(test)) + seen
