"""Affine transforms: ITK's text files, world matrices (RAS), and how far apart two of them are."""

from pathlib import Path

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.files import written_whole

# NIfTI's world is RAS+, ITK's is LPS+: the first two axes change their sign.
_RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_KINDS = ("AffineTransform", "MatrixOffsetTransformBase")


def read_itk_affine(path: str | Path) -> np.ndarray:
    """Read an affine transform from ITK's text format.

    Parameters
    ----------
    path
        Text file with one AffineTransform or MatrixOffsetTransformBase of 3 dimensions, such as
        ANTs, ITK-SNAP and 3D Slicer write.

    Returns
    -------
        float64 [4, 4], in millimetres RAS+: maps points of the reference to points of the scan,
        which is the direction that ITK stores.

    Raises
    ------
    InputError
        If the file is missing or holds anything else.
    """
    path = Path(path)
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        raise InputError(f"{path} is missing.") from None
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is not ITK's text format ({error}).") from None
    fields = dict(line.split(":", 1) for line in lines if ":" in line and line[:1] != "#")
    kind = fields.get("Transform", "").strip()
    try:
        parameters = np.array(fields["Parameters"].split(), dtype=np.float64)
        fixed = np.array(fields["FixedParameters"].split(), dtype=np.float64)
    except (KeyError, ValueError):
        parameters = fixed = np.empty(0)
    several = sum(line.startswith("Transform:") for line in lines) != 1
    is_affine = kind.split("_")[0] in _KINDS and kind.endswith("_3_3")
    if several or not is_affine or parameters.size != 12 or fixed.size != 3:
        raise InputError(
            f"{path} is not one affine transform of 3 dimensions in ITK's text format "
            f"(it says {kind or 'no Transform'}); convert it, for instance with "
            "antsApplyTransforms or ConvertTransformFile of ANTs."
        )
    return from_itk_parameters(parameters, fixed)


def write_itk_affine(path: str | Path, matrix: np.ndarray) -> None:
    """Write a world matrix (RAS+) as ITK's text format, whole or not at all, with all digits.

    Parameters
    ----------
    path
        Text file.
    matrix
        [4, 4], reference points to scan points, in millimetres RAS+.
    """
    lps = _RAS_LPS @ np.asarray(matrix, dtype=np.float64) @ _RAS_LPS
    parameters = " ".join(repr(float(value)) for value in [*lps[:3, :3].ravel(), *lps[:3, 3]])
    with written_whole(path) as temporary:
        temporary.write_text(
            "#Insight Transform File V1.0\n#Transform 0\n"
            f"Transform: AffineTransform_double_3_3\nParameters: {parameters}\n"
            "FixedParameters: 0 0 0\n"
        )


def from_itk_parameters(parameters: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """World matrix (RAS+) of ITK's x -> A (x - c) + t + c (ITK Software Guide, book 2, 3.9).

    Parameters
    ----------
    parameters
        [12], A by rows, then t, in LPS+ millimetres.
    centre
        [3], c, in LPS+ millimetres.

    Returns
    -------
        float64 [4, 4].
    """
    parameters = np.asarray(parameters, dtype=np.float64)
    centre = np.asarray(centre, dtype=np.float64)
    linear = parameters[:9].reshape(3, 3)
    lps = np.eye(4)
    lps[:3, :3] = linear
    lps[:3, 3] = parameters[9:] + centre - linear @ centre
    return _RAS_LPS @ lps @ _RAS_LPS


def lps_affine(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split an image's affine (RAS+) into what ITK keeps of it.

    Returns
    -------
    origin
        [3], mm LPS+.
    spacing
        [3], mm.
    direction
        [3, 3], an orthonormal matrix for a scanner's grid; a sheared affine does not fit in ITK.
    """
    lps = _RAS_LPS @ np.asarray(affine, dtype=np.float64)
    spacing = np.sqrt((lps[:3, :3] ** 2).sum(axis=0))
    return lps[:3, 3], spacing, lps[:3, :3] / spacing


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [n, 3] by a matrix [4, 4]."""
    return np.asarray(points, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def distances(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far two transforms take the same points apart.

    Parameters
    ----------
    first, second
        [4, 4], world matrices.
    points
        [n, 3], in millimetres, in the frame that both matrices map from.

    Returns
    -------
        float64 [n], mm.
    """
    return np.linalg.norm(apply(np.asarray(first) - np.asarray(second), points), axis=1)


def mask_points(mask: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """World coordinates [n, 3] (mm RAS+) of the voxels of a mask [x, y, z]."""
    return apply(np.asarray(affine, dtype=np.float64), np.argwhere(mask))


def mean_distance(
    first: np.ndarray, second: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> float:
    """Mean distance in mm between two transforms over a mask's voxels.

    Parameters
    ----------
    first, second
        [4, 4], world matrices that map points of the mask's frame.
    mask
        Boolean [x, y, z], at least one voxel.
    affine
        [4, 4], of the mask's grid.
    """
    return float(distances(first, second, mask_points(mask, affine)).mean())


def rotation_about(
    axis: np.ndarray, degrees: float, centre: np.ndarray, translation: np.ndarray
) -> np.ndarray:
    """Rigid world matrix: turn about an axis through a centre, then shift.

    Parameters
    ----------
    axis
        [3], of any length above 0.
    degrees
        Angle of the turn, right-handed.
    centre, translation
        [3], mm.

    Returns
    -------
        float64 [4, 4], by Rodrigues' formula.
    """
    x, y, z = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = np.asarray(centre) + np.asarray(translation) - matrix[:3, :3] @ centre
    return matrix
