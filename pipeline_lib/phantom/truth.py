"""What is true of a virtual patient, on the grid of its reference scan."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline_lib.phantom.patient import VirtualPatient

Array = np.ndarray

# A voxel is labelled where one tissue has at least this share, so that tissue means are clean.
PURE = 0.8


@dataclass(frozen=True)
class Truth:
    """True maps of a patient.

    Attributes
    ----------
    pd
        Sum over the tissues of a voxel, water = 1, [x, y, z].
    t1, t2
        Mean over the tissues of a voxel by their share, seconds; 0 in air.
    labels
        uint8, the tissue that has 80 % of the voxel or more, else 0.
    names
        Tissue of each label.
    """

    pd: Array
    t1: Array
    t2: Array
    labels: Array
    names: Mapping[int, str]


def truth_of(patient: VirtualPatient) -> Truth:
    """Average a patient's tissues over the voxels of the scan."""
    grid = patient.grid

    def on_scan(name: str, values: Array) -> Array:
        fine = np.zeros(int(np.prod(grid.fine_size)), dtype=np.float32)
        fine[patient.voxels[name].where] = values
        return grid.averaged(fine.reshape(grid.fine_size))

    names = dict(enumerate(patient.tissues, start=1))
    labels = np.zeros(grid.size, dtype=np.uint8)
    total, pd, t1, t2 = (np.zeros(grid.size, dtype=np.float32) for _ in range(4))
    for label, name in names.items():
        voxels = patient.voxels[name]
        share = on_scan(name, voxels.share)
        labels[share >= PURE] = label
        total += share
        pd += on_scan(name, voxels.share * voxels.pd)
        t1 += on_scan(name, voxels.share * voxels.t1)
        t2 += on_scan(name, voxels.share * voxels.t2)
    tissue = np.maximum(total, np.float32(1e-6))
    present = total > 0.01
    return Truth(
        pd, np.where(present, t1 / tissue, 0), np.where(present, t2 / tissue, 0), labels, names
    )
