"""FreeSurfer's segmentation `wmparc`, gathered into the tissue classes of Alkan et al. 2017.

The paper (section 3) gathers the labels into brain, grey matter, white matter, cerebral spinal
fluid, subcortical structures, vessel, cerebellum and unknown, and does not say which label goes
where. Numbers and names are those of FreeSurfer's colour table (FreeSurferColorLUT.txt). The
eighth class, the brain, is the union of the seven, which training adds by itself.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import read_volume
from pipeline_lib.imaging.segmentation import Tissues, carried_labels

CLASSES: dict[str, tuple[Iterable[int], ...]] = {
    # Cortex as a whole, and the parcels of the left and the right hemisphere.
    "grey_matter": ((3, 42), range(1000, 1036), range(2000, 2036)),
    # Cerebral white matter, corpus callosum, hypointensities, and white matter by parcel.
    "white_matter": (
        (2, 41, 77, 78, 79, 5001, 5002), range(251, 256), range(3000, 3036), range(4000, 4036),
    ),
    # Ventricles and the fluid around the brain.
    "cerebral_spinal_fluid": ((4, 5, 14, 15, 24, 43, 44, 72),),
    # Thalamus, caudate, putamen, pallidum, hippocampus, amygdala, accumbens, ventral
    # diencephalon of both sides, and the brain stem.
    "subcortical": ((9, 10, 11, 12, 13, 16, 17, 18, 26, 28, 48, 49, 50, 51, 52, 53, 54, 58, 60),),
    "vessel": ((30, 62),),
    # Exterior, white matter and cortex of both sides.
    "cerebellum": ((6, 7, 8, 45, 46, 47),),
}  # fmt: skip
UNKNOWN = "unknown"
"""Every other label, such as choroid plexus (31, 63) and optic chiasm (85)."""


def class_of_labels(labels: np.ndarray) -> np.ndarray:
    """Gather labels into classes.

    Parameters
    ----------
    labels
        Whole numbers of FreeSurfer's colour table, of any shape; 0 is outside.

    Returns
    -------
        uint8, the same shape: 0 outside, then 1 to 7 in the order of `class_names`.
    """
    classes = np.where(labels > 0, len(CLASSES) + 1, 0).astype(np.uint8)
    for number, groups in enumerate(CLASSES.values(), start=1):
        members = [label for group in groups for label in group]
        classes[np.isin(labels, members)] = number
    return classes


def class_names() -> dict[int, str]:
    """Give the name of each class."""
    return dict(enumerate([*CLASSES, UNKNOWN], start=1))


def tissues_of_wmparc(path: Path, affine: np.ndarray, shape: tuple[int, ...]) -> Tissues:
    """Bring FreeSurfer's segmentation to the reference grid, gathered into its classes.

    Parameters
    ----------
    path
        `*_dseg.nii.gz` with FreeSurfer's numbers.
    affine, shape
        Of the reference grid.

    Raises
    ------
    InputError
        If the file can't be read, holds other than whole numbers, or lies elsewhere.
    """
    values, own = read_volume(path)
    if not np.array_equal(values, np.rint(values)) or values.min() < 0:
        raise InputError(f"{path} holds other than labels; save it without interpolation.")
    classes = class_of_labels(values.astype(np.int32))
    return Tissues(carried_labels(path, classes, own, affine, shape), class_names())
