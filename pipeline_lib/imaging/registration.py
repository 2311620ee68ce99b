"""Registration of a session's scans to their reference contrast, with ANTs, deterministic."""

import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ants
import nibabel
import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.itk import ants_image
from pipeline_lib.imaging.refinement import refined
from pipeline_lib.imaging.scans import same_grid, spacing_of
from pipeline_lib.imaging.transforms import apply, from_itk_parameters, write_itk_affine

KINDS = ("rigid", "affine", "syn", "none")
# Axes finer than this are averaged before the search: a rigid transform of a whole head or pelvis
# gains nothing from finer voxels, and the time goes with their number.
SEARCH_SPACING = 2.0  # mm
# Smoothing of SyN's total field, in voxels: within even tissue mutual information follows noise,
# and this halves how far (3.0 to 1.8 mm on a virtual head that had not been deformed).
WARP_STIFFNESS = 1.0


@dataclass(frozen=True)
class RegisterSettings:
    """Settings of the registration.

    Attributes
    ----------
    transform
        `rigid` (6 parameters), `affine` (12), or `syn`: affine, then a diffeomorphic warp.
        `none`: the scanner's coordinates are taken as they are, for bodies that did not move.
    """

    transform: str

    def __post_init__(self) -> None:
        if self.transform not in KINDS:
            raise InputError(
                f"register.transform is {self.transform!r}; it must be one of {', '.join(KINDS)}."
            )


@dataclass(frozen=True)
class Scan:
    """A scan in memory.

    Attributes
    ----------
    image
        float32 [x, y, z].
    affine
        float64 [4, 4], mm RAS+.
    mask
        bool [x, y, z], the body.
    """

    image: np.ndarray
    affine: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Transform:
    """What a registration found.

    Attributes
    ----------
    matrix
        float64 [4, 4], mm RAS+: points of the reference to points of the scan (after the warp).
    warp
        NIfTI displacement field on the reference's grid as ANTs writes it, for `syn` only: a point
        of the reference is displaced by it, then mapped by the matrix.
    """

    matrix: np.ndarray
    warp: Path | None = None


def registration_seed(seed: int, session: str, contrast: str) -> int:
    """Seed of one registration, which no other session or contrast changes."""
    key = f"{seed} {session} {contrast}".encode()
    return zlib.crc32(key) % (2**31 - 1) + 1


def register(
    reference: Scan, scan: Scan, settings: RegisterSettings, seed: int, warp: Path
) -> Transform:
    """Find the transform from a reference to a scan of the same body.

    1. ANTs finds a rigid transform by Mattes' mutual information (2003), from coarse to fine, on
       samples within the reference's body.
    2. It is polished (see `refinement`), rigidly, then, if asked for, to an affine one.
    3. SyN (Avants 2008) starts from there.

    With the transform `none` nothing is searched, and the identity returned.

    On one thread the result repeats to the last digit: ANTs gets a seed for its samples.

    Parameters
    ----------
    reference, scan
        Corrected for bias.
    settings
        Kind of the transform.
    seed
        From 1 on; see `registration_seed`.
    warp
        Where `syn` writes its displacement field (`.nii.gz`).

    Raises
    ------
    InputError
        If the two hardly overlap, or ANTs finds no transform.
    """
    if settings.transform == "none":
        return Transform(np.eye(4))
    ants.config.set_ants_deterministic(True, seed_value=seed)
    fixed_array, fixed_affine = coarsened(reference.image, reference.affine, SEARCH_SPACING)
    mask_array, _ = coarsened(reference.mask, reference.affine, SEARCH_SPACING)
    fixed = ants_image(fixed_array, fixed_affine)
    mask = ants_image(mask_array >= 0.5, fixed_affine)
    moving = ants_image(*coarsened(scan.image, scan.affine, SEARCH_SPACING))
    with tempfile.TemporaryDirectory() as scratch:
        matrix = _rigid(fixed, moving, mask, Path(scratch))
        ends = (
            (reference.image, reference.mask, reference.affine),
            (scan.image, scan.mask, scan.affine),
        )
        # Scanner coordinates themselves are the second start: ANTs' own begins at the centres of
        # mass, and now and then loses its way from there.
        matrix = refined(*ends, [matrix, np.eye(4)], affine=False, seed=seed)
        if settings.transform == "rigid":
            return Transform(matrix)
        matrix = refined(*ends, [matrix], affine=True, seed=seed)
        if settings.transform == "affine":
            return Transform(matrix)
        straight = resampled(scan, reference, Transform(matrix))
        near = ants_image(*coarsened(straight, reference.affine, SEARCH_SPACING))
        _warp(fixed, near, mask, Path(scratch), warp)
    return Transform(matrix, warp)


def _rigid(fixed: Any, moving: Any, mask: Any, scratch: Path) -> np.ndarray:
    found = _run(
        fixed=fixed,
        moving=moving,
        mask=mask,
        type_of_transform="Rigid",
        aff_metric="mattes",
        aff_sampling=32,
        aff_random_sampling_rate=0.2,
        aff_iterations=(200, 100, 50),
        aff_shrink_factors=(4, 2, 1),
        aff_smoothing_sigmas=(2, 1, 0),
        outprefix=str(scratch / "rigid"),
    )
    transform = ants.read_transform(found["fwdtransforms"][0])
    return from_itk_parameters(np.array(transform.parameters), np.array(transform.fixed_parameters))


def _warp(fixed: Any, near: Any, mask: Any, scratch: Path, kept: Path) -> None:
    """Keep the warp from the reference to a scan that is already linearly on its grid."""
    found = _run(
        fixed=fixed,
        moving=near,
        mask=mask,
        type_of_transform="SyNOnly",
        initial_transform="Identity",
        syn_metric="mattes",
        reg_iterations=(40, 20, 10),
        total_sigma=WARP_STIFFNESS,
        outprefix=str(scratch / "syn"),
    )
    warp = next(name for name in found["fwdtransforms"] if name.endswith("Warp.nii.gz"))
    shutil.copyfile(warp, kept)


def _run(**arguments: Any) -> dict[str, Any]:
    try:
        return ants.registration(**arguments)
    except RuntimeError as error:
        raise InputError(
            f"ANTs found no transform to the reference ({error}); look at both scans, "
            "and exclude the session if they do not show the same body."
        ) from None


def resampled(scan: Scan, reference: Scan, transform: Transform) -> np.ndarray:
    """Bring a scan onto the reference's grid, linearly; 0 outside the scan's field of view.

    Returns
    -------
        float32 [x, y, z] of the reference; the scan itself if it is there already.
    """
    stays = transform.warp is None and np.array_equal(transform.matrix, np.eye(4))
    if stays and same_grid(scan.image.shape, scan.affine, reference.image.shape, reference.affine):
        return scan.image
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "matrix.txt"
        write_itk_affine(path, transform.matrix)
        warps = [] if transform.warp is None else [str(transform.warp)]
        moved = ants.apply_transforms(
            ants_image(reference.image, reference.affine),
            ants_image(scan.image, scan.affine),
            transformlist=[*warps, str(path)],
            interpolator="linear",
        )
    return moved.numpy()


def coarsened(
    array: np.ndarray, affine: np.ndarray, spacing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbouring voxels along each axis that is finer than a spacing.

    Parameters
    ----------
    array
        [x, y, z]; up to the last block is used, what is left over at the far end is dropped.
    affine
        [4, 4].
    spacing
        mm; blocks come nearest to it.

    Returns
    -------
    array
        float32.
    affine
        From the indices of the blocks to the same world.
    """
    factors = np.array([max(1, round(spacing / size)) for size in spacing_of(affine)])
    blocks = np.maximum(np.array(array.shape) // factors, 1)
    factors = np.minimum(factors, array.shape)
    cut = tuple(slice(0, n) for n in blocks * factors)
    shape = [length for pair in zip(blocks, factors, strict=True) for length in pair]
    averaged = np.asarray(array, dtype=np.float32)[cut].reshape(shape).mean(axis=(1, 3, 5))
    coarse = np.array(affine, dtype=np.float64)
    coarse[:3, 3] += coarse[:3, :3] @ ((factors - 1) / 2)
    coarse[:3, :3] *= factors
    return averaged, coarse


def moved_points(transform: Transform, points: np.ndarray) -> np.ndarray:
    """Take points [n, 3] of the reference (mm RAS+) to the scan; the warp is read linearly."""
    if transform.warp is not None:
        image = nibabel.load(transform.warp)
        indices = apply(np.linalg.inv(image.affine), points).T
        field = np.asarray(image.dataobj, dtype=np.float64).squeeze()
        shift = [
            ndimage.map_coordinates(field[..., axis], indices, order=1, mode="nearest")
            for axis in range(3)
        ]
        # ITK's vectors are in LPS.
        points = points + np.column_stack(shift) * [-1.0, -1.0, 1.0]
    return apply(transform.matrix, points)
