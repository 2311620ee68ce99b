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


def truth_of(patient: VirtualPatient, slice_thickness: float | None = None) -> Truth:
    """Average a patient's tissues over the voxels of the scan.

    Parameters
    ----------
    patient
        Anatomy and tissue values.
    slice_thickness
        Of the scan in mm; None where the slices touch.
    """
    grid = patient.grid
    size = int(np.prod(grid.size))
    names = dict(enumerate(patient.tissues, start=1))
    labels = np.zeros(size, dtype=np.uint8)
    total, pd, t1, t2 = (np.zeros(size, dtype=np.float32) for _ in range(4))
    for label, name in names.items():
        voxels = patient.voxels[name]
        own = np.zeros(size, dtype=np.float32)
        for chosen, places, weight in grid.places_on_scan(voxels.where, slice_thickness):
            share = np.float32(weight) * voxels.share[chosen]
            own[places] += share
            pd[places] += share * voxels.pd[chosen]
            t1[places] += share * voxels.t1[chosen]
            t2[places] += share * voxels.t2[chosen]
        labels[own >= PURE] = label
        total += own
    tissue = np.where(total > 0.01, total, np.inf).astype(np.float32)
    return Truth(
        pd.reshape(grid.size),
        (t1 / tissue).reshape(grid.size),
        (t2 / tissue).reshape(grid.size),
        labels.reshape(grid.size),
        names,
    )
