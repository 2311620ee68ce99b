"""The body and its tissues on the grid of a session's reference scan."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError, check_choice
from pipeline_lib.files import read_json
from pipeline_lib.imaging.masks import body_mask, cleaned
from pipeline_lib.imaging.scans import read_label_map
from pipeline_lib.imaging.sidecars import read_labels

Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class SegmentSettings:
    """Section `segment` of a dataset.

    Attributes
    ----------
    tissues
        Where they come from: `truth`, `dseg`, `wmparc`, `atropos`, or `none`.
    body
        What shows it: `contrasts`, half of them or more (see `session_body`), or the `reference`
        scan alone, where in most contrasts most tissues are dark (echo times up to a second).
    """

    tissues: str
    body: str = "contrasts"

    def __post_init__(self) -> None:
        check_choice("segment.body", self.body, ("contrasts", "reference"))


@dataclass(frozen=True)
class Tissues:
    """A segmentation.

    Attributes
    ----------
    labels
        uint8 [x, y, z], 0 where no tissue is named.
    names
        Tissue of each label.
    """

    labels: np.ndarray
    names: Mapping[int, str]


def session_body(images: Mapping[str, np.ndarray], spacing: Spacing) -> np.ndarray:
    """Find the body that the registered contrasts of a session agree on.

    A voxel belongs to it where at least half of the contrasts show tissue, so that a contrast in
    which a tissue is dark does not decide, and where every contrast was measured: what lies
    outside a scan's field of view (exactly 0 after its registration) can't be compared.

    Parameters
    ----------
    images
        Registered scans [x, y, z] by contrast.
    spacing
        mm.

    Returns
    -------
        bool [x, y, z].

    Raises
    ------
    InputError
        If a contrast shows no body (the sentence names it), or they have none in common.
    """
    votes = np.zeros(next(iter(images.values())).shape, dtype=np.int32)
    for contrast, image in images.items():
        try:
            votes += body_mask(image, spacing)
        except InputError as error:
            raise InputError(f"contrast {contrast}: {error}") from None
    measured = np.logical_and.reduce([image != 0 for image in images.values()])
    body = cleaned(2 * votes >= len(images), spacing) & measured
    if not body.any():
        raise InputError(
            "the registered contrasts have no part of the body in common; look at the pictures of "
            "their registration, and exclude the session if one went astray."
        )
    return body


def tissues_of_truth(folder: Path, session: str, shape: tuple[int, ...]) -> Tissues:
    """Read the labels that the simulation knows to be true.

    Raises
    ------
    InputError
        If a file is missing, or on another grid than the reference scan.
    """
    path = folder / f"{session}_dseg.nii.gz"
    labels, _ = read_label_map(path)
    if labels.shape != shape:
        raise InputError(
            f"{path} has the shape {labels.shape} and the reference scan {shape}; "
            "simulate the patient again."
        )
    names = {
        int(label): name
        for label, name in read_json(path.with_name(f"{session}_dseg.json")).items()
    }
    return Tissues(labels, names)


def tissues_of_dseg(path: Path, affine: np.ndarray, shape: tuple[int, ...]) -> Tissues:
    """Bring a BIDS segmentation to the reference grid, each voxel by its nearest label.

    Parameters
    ----------
    path
        `*_dseg.nii.gz`, with its labels' names in a .tsv or .json beside it.
    affine, shape
        Of the reference grid.

    Raises
    ------
    InputError
        If the file or its names can't be read, or if no label lies on the reference grid.
    """
    labels, own = read_label_map(path)
    return Tissues(carried_labels(path, labels, own, affine, shape), read_labels(path))


def carried_labels(
    path: Path, labels: np.ndarray, own: np.ndarray, affine: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Carry labels from their own grid to the reference's, each voxel the nearest.

    Raises
    ------
    InputError
        If no label of the file lies on the reference grid.
    """
    pull = np.linalg.inv(own) @ affine
    carried = ndimage.affine_transform(
        labels, pull[:3, :3], pull[:3, 3], output_shape=shape, order=0, mode="constant"
    )
    if not carried.any():
        raise InputError(
            f"{path} has no label on the grid of the reference scan; "
            "save it in the space of that scan, or exclude the session."
        )
    return carried
