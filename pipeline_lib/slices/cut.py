"""From registered volumes to slices of one size, and what puts a slice back into its volume."""

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import spacing_of, to_orientation
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.store import PatientSlices

# Where the axes [slice, row, column] run to, so that row 0 is on top of a picture and column 0 on
# its left: axial and coronal slices show the patient's right on the left, as radiologists look at
# them (column 0 is Right and they run to Left); sagittal ones face left.
DIRECTIONS = {"axial": "SPL", "coronal": "AIL", "sagittal": "RIP"}


@dataclass(frozen=True)
class SliceSettings:
    """How volumes are cut.

    Attributes
    ----------
    size
        Rows and columns of every slice.
    spacing
        Distance of rows and of columns in mm to resample to; `None` keeps the volume's own.
    orientation
        Direction of the slices.
    minimum_body
        Slices with less than this share of pixels in the body are left out.
    """

    size: tuple[int, int]
    spacing: tuple[float, float] | None
    orientation: Literal["axial", "coronal", "sagittal"]
    minimum_body: float


@dataclass(frozen=True)
class SessionVolumes:
    """The registered volumes of one session, all on one grid.

    Attributes
    ----------
    session
        `sub-01_ses-1`.
    images
        float32 [x, y, z] of each contrast; asked for once, one after the other.
    body, tissues
        uint8 [x, y, z].
    affine
        [4, 4], from indices to millimetres, RAS+.
    """

    session: str
    images: Mapping[str, np.ndarray]
    body: np.ndarray
    tissues: np.ndarray
    affine: np.ndarray


@dataclass(frozen=True)
class SessionSlices:
    """The slices of one session; see `PatientSlices` for the arrays."""

    session: str
    images: np.ndarray
    body: np.ndarray
    tissues: np.ndarray
    indices: tuple[int, ...]
    spacing: tuple[float, float]
    geometry: dict[str, Any]


def cut_session(volumes: SessionVolumes, settings: SliceSettings, scale: float) -> SessionSlices:
    """Cut a session into slices.

    Volumes are turned to `DIRECTIONS`, cropped or filled with zeros to the size about the middle
    of the body's bounding box over all slices (one crop a session), resampled within the slice if
    a spacing is set (linear, after smoothing where pixels get coarser; labels: nearest), and
    divided by the scale. Nothing is clipped.

    Returns
    -------
        `geometry` has `affine`, [4, 4] from (slice index, row, column) of the stored slices to
        millimetres in RAS+, and `slices`, the number of slices of the volume: zeros [slices, row,
        column] with the stored slices at their indices are a volume with that affine.

    Raises
    ------
    InputError
        If the body does not fit into the size, or no slice has enough of it.
    """
    codes = DIRECTIONS[settings.orientation]
    body, affine = to_orientation(volumes.body, volumes.affine, codes)
    tissues, _ = to_orientation(volumes.tissues, volumes.affine, codes)
    frame = _frame(body > 0, affine, settings, volumes.session)
    cut_body = np.stack([frame.labels(image) for image in body])
    kept = np.flatnonzero((cut_body > 0).mean(axis=(1, 2)) >= settings.minimum_body)
    if not kept.size:
        raise InputError(
            f"No slice of {volumes.session} has {settings.minimum_body:g} of its pixels in the "
            "body; set `slices: minimum_body` lower or `slices: size` smaller."
        )
    images = np.empty((len(kept), len(volumes.images), *settings.size), dtype=np.float32)
    for place, volume in enumerate(volumes.images.values()):
        turned, _ = to_orientation(volume, volumes.affine, codes)
        for row, i in enumerate(kept):
            images[row, place] = frame.image(turned[i]) / scale
    return SessionSlices(
        session=volumes.session,
        images=images,
        body=cut_body[kept],
        tissues=np.stack([frame.labels(tissues[i]) for i in kept]),
        indices=tuple(int(i) for i in kept),
        spacing=frame.spacing,
        geometry={"affine": (affine @ frame.matrix()).tolist(), "slices": len(body)},
    )


def join_sessions(
    patient: str,
    sessions: Listing[SessionSlices],
    sequences: Mapping[str, Sequence],
    tissue_names: Mapping[int, str],
    scale: float,
) -> PatientSlices:
    """Put the slices of a patient's sessions one after the other.

    Raises
    ------
    InputError
        If their pixels differ in size by more than 1 %.
    """
    first = sessions[0]
    for other in sessions[1:]:
        if not np.allclose(first.spacing, other.spacing, rtol=0.01):
            raise InputError(
                f"Pixels of {first.session} are {_by(first.spacing)} mm but those of "
                f"{other.session} {_by(other.spacing)} mm; set `slices: spacing` to one of them."
            )
    return PatientSlices(
        patient=patient,
        contrasts=sequences,
        # Of hundreds of contrasts a copy would be as large as all else together.
        images=(
            np.concatenate([session.images for session in sessions])
            if len(sessions) > 1
            else first.images
        ),
        body=np.concatenate([session.body for session in sessions]),
        tissues=np.concatenate([session.tissues for session in sessions]),
        tissue_names=tissue_names,
        sessions=tuple(session.session for session in sessions for _ in session.indices),
        indices=tuple(index for session in sessions for index in session.indices),
        scale=scale,
        spacing=first.spacing,
        geometry={session.session: session.geometry for session in sessions},
    )


def common_sequences(checked: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Sequence]:
    """Give the sequence of each contrast, which all sessions of a patient must share.

    Parameters
    ----------
    checked
        For each session, what `scans.check_scan` found of each contrast.

    Raises
    ------
    InputError
        If a contrast was measured with another kind of sequence, or times that differ by more
        than 1 %, in another session.
    """
    (first, contrasts), *others = checked.items()
    common = {name: Sequence.from_mapping(values) for name, values in contrasts.items()}
    for session, scans in others:
        for name, sequence in common.items():
            other = Sequence.from_mapping(scans[name])
            if not _alike(sequence, other):
                raise InputError(
                    f"{name} of {session} was measured with {other.to_mapping()} but that of "
                    f"{first} with {sequence.to_mapping()}; name one of them in `exclude:`, or "
                    "give the contrast's times in the configuration."
                )
    return common


@dataclass(frozen=True)
class _Frame:
    """The part of a slice that is kept: pixel i of it lies at `offset + i * factor`."""

    size: tuple[int, int]
    offset: tuple[float, float]
    factor: tuple[float, float]
    spacing: tuple[float, float]

    def matrix(self) -> np.ndarray:
        """Matrix [4, 4] from (slice, row, column) of the frame to those of the volume."""
        matrix = np.diag([1.0, *self.factor, 1.0])
        matrix[1:3, 3] = self.offset
        return matrix

    def image(self, image: np.ndarray) -> np.ndarray:
        if self.factor == (1.0, 1.0):
            return self._cropped(image)
        # A pixel that covers several must not pick one of them (the sigma of scikit-image).
        blur = [max(0.0, (factor - 1) / 2) for factor in self.factor]
        return self._resampled(ndimage.gaussian_filter(image, blur, mode="nearest"), order=1)

    def labels(self, image: np.ndarray) -> np.ndarray:
        if self.factor == (1.0, 1.0):
            return self._cropped(image)
        return self._resampled(image, order=0)

    def _resampled(self, image: np.ndarray, order: int) -> np.ndarray:
        return ndimage.affine_transform(
            image, np.diag(self.factor), self.offset, self.size, order=order, mode="constant"
        )

    def _cropped(self, image: np.ndarray) -> np.ndarray:
        cropped = np.zeros(self.size, image.dtype)
        into, taken = [], []
        for start, length, available in zip(self.offset, self.size, image.shape, strict=True):
            first, last = max(int(start), 0), min(int(start) + length, available)
            taken.append(slice(first, last))
            into.append(slice(first - int(start), last - int(start)))
        cropped[tuple(into)] = image[tuple(taken)]
        return cropped


def _frame(body: np.ndarray, affine: np.ndarray, settings: SliceSettings, session: str) -> _Frame:
    """Frame about the middle of the body [slice, row, column]."""
    if not body.any():
        raise InputError(f"The body mask of {session} is empty; look at its scans, or exclude it.")
    own = np.array(spacing_of(affine)[1:])
    spacing = own if settings.spacing is None else np.array(settings.spacing, dtype=float)
    factor, size = spacing / own, np.array(settings.size)
    limits = [np.flatnonzero(np.any(body, axis=axes))[[0, -1]] for axes in ((0, 2), (0, 1))]
    needed = np.array([last - first + 1 for first, last in limits]) / factor
    if (needed > size + 1e-6).any():
        raise InputError(
            f"The body of {session} covers {_by(np.ceil(needed))} pixels of {_by(spacing)} mm and "
            f"does not fit into `slices: size` {_by(size)}; set a larger size, or a coarser "
            "`slices: spacing`."
        )
    offset = np.array([limit.mean() for limit in limits]) - (size - 1) / 2 * factor
    if (factor == 1).all():
        offset = np.floor(offset + 0.5)
    return _Frame(
        _pair(size, int), _pair(offset, float), _pair(factor, float), _pair(spacing, float)
    )


def _alike(first: Sequence, second: Sequence) -> bool:
    one, other = first.to_mapping(), second.to_mapping()
    kinds = one.pop("sequence"), other.pop("sequence")
    return (
        kinds[0] == kinds[1]
        and one.keys() == other.keys()
        and all(abs(value - other[name]) <= 0.01 * value for name, value in one.items())
    )


def _pair(values: np.ndarray, kind: Any) -> tuple[Any, Any]:
    return kind(values[0]), kind(values[1])


def _by(values: Iterable[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
