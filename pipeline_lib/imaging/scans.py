"""Scans on disk: reading with all checks, writing whole, and the orientation of arrays."""

import gzip
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from pipeline_lib.errors import InputError
from pipeline_lib.files import written_whole
from pipeline_lib.imaging.sidecars import read_sequence, sidecar_of

# Voxels of patients' scans lie between these; others come of a wrong unit or a broken header.
SMALLEST_SPACING, LARGEST_SPACING = 0.01, 100.0  # mm


def read_scan(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a scan whole and refuse what no later stage could use.

    Returns
    -------
        See `read_volume`.

    Raises
    ------
    InputError
        See `read_volume`; also if all values are the same.
    """
    array, affine = read_volume(path)
    low, high = float(array.min()), float(array.max())
    if low == high:
        raise InputError(
            f"{path} is empty: all its voxels are {low:g}; export the scan again, "
            "or exclude its session."
        )
    return array, affine


def read_label_map(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a mask or a segmentation.

    Returns
    -------
    array
        uint8 [x, y, z].
    affine
        See `read_volume`.

    Raises
    ------
    InputError
        See `read_volume`; also if a value is no whole number from 0 to 255.
    """
    array, affine = read_volume(path)
    labels = array.astype(np.uint8)
    if not np.array_equal(labels, array):
        raise InputError(
            f"{path} has values that are no labels (whole numbers from 0 to 255); "
            "save it without interpolation, and number its labels anew if they are larger."
        )
    return labels, affine


def read_volume(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a volume whole.

    Parameters
    ----------
    path
        NIfTI file. A fourth axis of length 1 is dropped.

    Returns
    -------
    array
        float32 [x, y, z], in the file's own order of axes, scaled as its header says.
    affine
        float64 [4, 4], from indices to millimetres, RAS+.

    Raises
    ------
    InputError
        If the file is missing, cut short, no NIfTI, has several volumes, values that are not
        finite, or voxels of an impossible size.
    """
    path = Path(path)
    image = _open(path)
    shape = tuple(int(length) for length in image.shape)
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        raise InputError(
            f"{path} has {len(shape)} dimensions {shape}, but a scan is one volume; "
            "extract the volume of this contrast (for instance with fslroi) or exclude the session."
        )
    affine = np.asarray(image.affine, dtype=np.float64)
    _check_spacing(path, affine)
    array = _values(path, image).reshape(shape[:3])
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise InputError(
            f"{path} has {wrong} voxels of {array.size} that are NaN or infinite; "
            "export the scan again, or exclude its session."
        )
    return array, affine


def check_scan(path: str | Path, contrast: Mapping[str, Any]) -> dict[str, Any]:
    """Read a scan and its sidecar with all checks, and describe it.

    Parameters
    ----------
    path
        NIfTI file.
    contrast
        Configuration of its contrast; see `sidecars.read_sequence`.

    Returns
    -------
        `path`, the sequence and its times in seconds (`sequence`, `te`, `tr` and, where it has
        them, `ti` and `te_last`), `shape` and `spacing` (mm) in the file's order of axes.

    Raises
    ------
    InputError
        See `read_scan` and `sidecars.read_sequence`.
    """
    array, affine = read_scan(path)
    sequence = read_sequence(sidecar_of(path), contrast)
    return {
        "path": str(path),
        **sequence.to_mapping(),
        "shape": list(array.shape),
        "spacing": [round(value, 6) for value in spacing_of(affine)],
    }


def write_scan(
    path: str | Path, array: np.ndarray, affine: np.ndarray, dtype: Any = np.float32
) -> None:
    """Write an array [x, y, z] as NIfTI, whole or not at all, the same bytes for the same array.

    Parameters
    ----------
    path
        Ends in `.nii.gz` or `.nii`.
    array
        Its values are stored as `dtype`, without scaling.
    affine
        [4, 4], from indices to millimetres, RAS+; written to both of NIfTI's transforms, because
        readers differ in which they take.
    dtype
        Kind of number in the file.
    """
    image = nibabel.Nifti1Image(np.asarray(array, dtype=dtype), affine, dtype=dtype)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    with written_whole(path) as temporary:
        nibabel.save(image, temporary)


def spacing_of(affine: np.ndarray) -> tuple[float, float, float]:
    """Distance of neighbouring voxels along each axis, in the unit of the affine (mm)."""
    x, y, z = np.sqrt((np.asarray(affine, dtype=np.float64)[:3, :3] ** 2).sum(axis=0))
    return float(x), float(y), float(z)


def same_grid(
    shape: tuple[int, ...], affine: np.ndarray, other: tuple[int, ...], other_affine: np.ndarray
) -> bool:
    """Tell whether two grids are one: the same shape, and affines alike to 1e-4 mm."""
    return tuple(shape) == tuple(other) and np.allclose(affine, other_affine, rtol=0, atol=1e-4)


def to_orientation(
    array: np.ndarray, affine: np.ndarray, codes: str = "RAS"
) -> tuple[np.ndarray, np.ndarray]:
    """Flip and permute the axes of an array so that they run as `codes` say; no interpolation.

    Parameters
    ----------
    array
        [x, y, z], any further axes are kept as they are.
    affine
        [4, 4], from indices to millimetres, RAS+.
    codes
        Where each axis runs to, a letter an axis: R or L, A or P, S or I. `RAS` is NIfTI's
        canonical order, the one of `nibabel.as_closest_canonical`.

    Returns
    -------
    array
        A view of the same voxels.
    affine
        From the new indices to the same millimetres.
    """
    turn = ornt_transform(io_orientation(affine), axcodes2ornt(tuple(codes)))
    return apply_orientation(array, turn), affine @ inv_ornt_aff(turn, array.shape[:3])


def _open(path: Path) -> Any:
    """Read all bytes, so that gzip's check sum is compared, which nibabel alone does not."""
    if not path.exists():
        raise InputError(f"{path} is missing; put it back, or exclude its session.")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        header = content[: nibabel.Nifti2Header.template_dtype.itemsize]
        is_second = nibabel.Nifti2Header.may_contain_header(header)
        return (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_bytes(content)
    except (
        ImageFileError,
        HeaderDataError,
        WrapStructError,
        ValueError,
        OSError,
        EOFError,
        zlib.error,
    ) as error:
        raise _unreadable(path, error) from None


def _values(path: Path, image: Any) -> np.ndarray:
    if image.get_data_dtype().fields is not None or np.dtype(image.get_data_dtype()).kind == "c":
        raise InputError(
            f"{path} holds colours or complex numbers ({image.get_data_dtype()}); "
            "export the scan's magnitude."
        )
    try:
        with np.errstate(over="ignore"):
            return np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged"))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    cut_short = isinstance(error, EOFError | zlib.error | gzip.BadGzipFile) or (
        isinstance(error, OSError | ValueError) and "Expected" in str(error)
    )
    if cut_short:
        return InputError(
            f"{path} is cut short or damaged ({_first_line(error)}); copy or download it again, "
            "or exclude its session."
        )
    return InputError(
        f"{path} cannot be read as NIfTI ({_first_line(error)}); export it again, "
        "or exclude its session."
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _check_spacing(path: Path, affine: np.ndarray) -> None:
    spacing = spacing_of(affine)
    plausible = all(SMALLEST_SPACING <= value <= LARGEST_SPACING for value in spacing)
    if not plausible or abs(np.linalg.det(affine[:3, :3])) < 1e-3 * np.prod(spacing):
        raise InputError(
            f"{path} has voxels of {' x '.join(f'{value:g}' for value in spacing)} mm, or axes "
            f"that coincide; sizes lie between {SMALLEST_SPACING:g} and {LARGEST_SPACING:g} mm: "
            "correct the header, or exclude the session."
        )
