"""MRiLab's brain from its label file, warped for each patient; the file is the user's."""

from functools import cache
from pathlib import Path

import numpy as np
from scipy import io, ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.warp import random_warp

Array = np.ndarray

WARP = 3.0  # mm
# Of the variable Anatomy, in BrainWeb's order; fat has no water protons in MRiLab's table.
LABELS = {
    1: "csf",
    2: "grey_matter",
    3: "white_matter",
    5: "muscle",
    6: "skin",
    7: "cortical_bone",
    8: "glia",
    9: "connective",
}


@cache
def _labels(path: Path) -> Array:
    if not path.is_file():
        raise InputError(f"{path} is missing; set virtual.label_file to MRiLab's BrainModel.mat.")
    try:
        content = io.loadmat(path, variable_names=["Anatomy"])
        labels = np.asarray(content["Anatomy"])
    except (KeyError, ValueError, NotImplementedError) as error:
        raise InputError(
            f"{path} holds no label volume named Anatomy ({error}); "
            "set virtual.label_file to MRiLab's BrainModel.mat."
        ) from None
    # Rows of the file run from front to back, columns from left to right, slices from the crown
    # downwards; here x runs to the right, y to the front and z upwards.
    return np.ascontiguousarray(np.swapaxes(labels, 0, 1)[:, ::-1, ::-1])


def mrilab(grid: Grid, rng: np.random.Generator, label_file: str | Path) -> dict[str, Array]:
    """Draw a warped copy of MRiLab's head, its 1 mm labels sampled 2 x 2 times a voxel.

    Parameters
    ----------
    grid
        Of the fractions.
    rng
        Of the warp.
    label_file
        BrainModel.mat of MRiLab: `Anatomy`, 216 x 180 x 180 labels of 1 mm.

    Returns
    -------
        Share of each tissue in each fine voxel, [x, y, fine z], float32.

    Raises
    ------
    InputError
        If the file is missing or holds no such volume.
    """
    labels = _labels(Path(label_file))
    x, y, z = random_warp(grid, WARP, rng)
    middle = (np.array(labels.shape, dtype=np.float32) - 1) / 2
    counts = {name: np.zeros(grid.fine_size, dtype=np.uint8) for name in LABELS.values()}
    for right in (-0.25, 0.25):
        for front in (-0.25, 0.25):
            places = [
                x + np.float32(right * grid.spacing[0]) + middle[0],
                y + np.float32(front * grid.spacing[1]) + middle[1],
                z + middle[2],
            ]
            found = ndimage.map_coordinates(labels, places, order=0, cval=0)
            for label, name in LABELS.items():
                counts[name] += found == label
    return {name: count * np.float32(0.25) for name, count in counts.items() if count.any()}
