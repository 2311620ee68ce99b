"""The true maps of a virtual patient, cut into the slices that its scans were cut into."""

from collections.abc import Iterable
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage, optimize

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import read_volume
from pipeline_lib.signal.equations import Form, signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

NORMAL_MAD = 1.4826  # standard deviation of a normal variable over its median absolute deviation


@dataclass(frozen=True)
class TrueMaps:
    """What is true of some slices of a patient.

    Attributes
    ----------
    pd
        float32 [slice, row, column], water = 1; 0 in air.
    t1, t2
        float32 [slice, row, column], seconds; 1 in air, where they mean nothing.
    """

    pd: Array
    t1: Array
    t2: Array

    def measured(self, sequence: Sequence, form: Form) -> Array:
        """Magnitude [slice, row, column] without noise, for a gain of 1."""
        return signal(sequence, self.pd, self.t1, self.t2, form)


def read_true_maps(folder: str | Path, slices: PatientSlices, rows: Listing[int]) -> TrueMaps:
    """Read the maps that the simulation wrote, and cut them like the scans.

    Where the scans were resampled within the slice, the maps are too: linear, after the same
    smoothing; T1 and T2 are averages over the tissue of a pixel, without its air.

    Parameters
    ----------
    folder
        Holds `<session>_PDmap.nii.gz`, `_T1map` and `_T2map`.
    slices
        The patient.
    rows
        Which of its slices.

    Raises
    ------
    InputError
        If a map is missing or can't be read.
    """
    maps = np.zeros((3, len(rows), *slices.body.shape[1:]), dtype=np.float32)
    sessions = np.array([slices.sessions[row] for row in rows])
    indices = np.array([slices.indices[row] for row in rows])
    for session in dict.fromkeys(sessions):
        here = sessions == session
        to_world = np.array(slices.geometry[session]["affine"])
        volumes = [
            read_volume(Path(folder) / f"{session}_{name}map.nii.gz") for name in ("PD", "T1", "T2")
        ]
        size, affine = slices.body.shape[1:], volumes[0][1]
        pd, t1, t2 = (_cut(volume, affine, to_world, indices[here], size) for volume, _ in volumes)
        tissue = (volumes[1][0] > 0).astype(np.float32)
        share = _cut(tissue, affine, to_world, indices[here], size)
        inside = (share > 0) & (t1 > 0) & (t2 > 0)
        known = np.where(inside, share, 1)
        maps[0, here] = np.where(inside, pd, 0)
        maps[1, here] = np.where(inside, t1 / known, 1)
        maps[2, here] = np.where(inside, t2 / known, 1)
    return TrueMaps(*maps)


def gain_of(
    maps: TrueMaps, slices: PatientSlices, rows: Listing[int], names: Iterable[str], form: Form
) -> float:
    """Estimate what a signal of 1 (water, fully relaxed) became on the patient's scale.

    One factor for all contrasts, by least squares between the signal equation on the true maps
    and the acquired images within the body. Edges that a registration has moved, and what is left
    of a bias field, are no noise: the loss is soft L1, quadratic up to the robust standard
    deviation (1.4826 times the median absolute deviation) of the residuals of a first guess and
    linear beyond. That guess is the median ratio of the brighter half of the pixels.

    Parameters
    ----------
    maps
        Of these rows.
    slices
        The patient.
    rows
        Which of its slices.
    names
        Contrasts to compare.
    form
        Of the signal equation.

    Raises
    ------
    InputError
        If the maps show nothing within the body.
    """
    inside = (slices.body[rows] > 0) & (maps.pd > 0)
    order = list(slices.contrasts)
    names = list(names)
    acquired = np.concatenate([slices.images[rows, order.index(name)][inside] for name in names])
    true = np.concatenate(
        [maps.measured(slices.contrasts[name], form)[inside] for name in names]
    ).astype(float)
    if not true.any():
        raise InputError(
            f"the true maps of {slices.patient} show nothing within the body of its slices; "
            "simulate the dataset again and make its slices from that simulation."
        )
    bright = (true >= np.median(true)) & (true > 0)
    guess = float(np.median(acquired[bright] / true[bright]))
    residuals = guess * true - acquired
    spread = NORMAL_MAD * float(np.median(np.abs(residuals - np.median(residuals))))
    fitted = optimize.least_squares(
        lambda gain: gain[0] * true - acquired,
        [guess],
        jac=lambda _: true[:, None],
        loss="soft_l1",
        f_scale=max(spread, 1e-6),
    )
    return float(fitted.x[0])


def _cut(
    volume: Array, affine: Array, to_world: Array, indices: Array, size: tuple[int, ...]
) -> Array:
    """Sample a volume [x, y, z] at the pixels of stored slices: [slice, row, column]."""
    to_voxel = np.linalg.inv(affine) @ to_world
    # A pixel that covers several voxels is their mean, as in `slices.cut`.
    blur = np.maximum(0, (np.abs(to_voxel[:3, 1:3]).sum(axis=1) - 1) / 2)
    smooth = ndimage.gaussian_filter(volume, np.where(blur > 1e-6, blur, 0), mode="nearest")
    grid = np.stack(np.meshgrid(indices, *map(np.arange, size), indexing="ij"))
    places = np.tensordot(to_voxel[:3, :3], grid, axes=1) + to_voxel[:3, 3, None, None, None]
    return ndimage.map_coordinates(smooth, places, order=1, mode="grid-constant")
