"""The virtual scanner: it measures a virtual patient with any list of sequences."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.phantom.grid import Grid, spline_sum
from pipeline_lib.phantom.patient import VirtualPatient
from pipeline_lib.signal.equations import Form, signal, signed_signal
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.signal.sequences import Sequence

Array = np.ndarray

BRIGHTEST = 1000.0  # raw units of the brightest tissue in the reference contrast
BIAS_KNOTS = 150.0  # mm; the sensitivity of receive coils varies over such lengths


@dataclass(frozen=True)
class Motion:
    """The most that a patient moves between contrasts: mm along, and degrees about, an axis."""

    translation: float
    rotation: float


@dataclass(frozen=True)
class Scanner:
    """What all contrasts of a session have in common.

    Attributes
    ----------
    form
        Of the signal equation.
    noise
        SD of the noise as a share of the brightest tissue's signal in the reference contrast.
    bias_field
        Peak-to-peak share over the body: 0.3 is a field of 0.85 to 1.15.
    motion
        Of all contrasts but the reference.
    """

    form: Form
    noise: float
    bias_field: float
    motion: Motion


@dataclass(frozen=True)
class Session:
    """What one session of a virtual patient gave.

    Attributes
    ----------
    images
        Raw magnitude of each contrast, [x, y, z], float32.
    field
        Bias field of the coil, [x, y, z], the same for all contrasts.
    motion
        4 x 4 of each contrast: world mm of a point in the reference -> where it is in the scan.
    sigma, gain
        SD of the noise, and raw units of a signal of 1.
    """

    images: Mapping[str, Array]
    field: Array
    motion: Mapping[str, Array]
    sigma: float
    gain: float


def measure(
    patient: VirtualPatient,
    sequences: Mapping[str, Sequence],
    reference: str,
    scanner: Scanner,
    seed: list[int],
) -> Session:
    """Measure a patient with each sequence.

    1. The signed signals of the tissues that share a fine voxel add up.
    2. The anatomy moves, rigidly about the middle of the scan, between contrasts; grid and coil
       stay. The signed signal is interpolated linearly on the fine grid, before noise, so noise
       stays white. (The reference does not move and is not interpolated.)
    3. A slice is the mean over its thickness; its magnitude is taken, weighted by the coil's
       field, amplified, and given Rician noise.

    Parameters
    ----------
    patient
        Anatomy and tissue values.
    sequences
        By name of contrast.
    reference
        The contrast in which the patient has not moved, and which sets gain and noise.
    scanner
        See `Scanner`.
    seed
        Of field, motion and noise. Each contrast has its own streams.

    Raises
    ------
    InputError
        If the reference shows no tissue.
    """
    grid = patient.grid
    brightest = max(
        float(signal(sequences[reference], tissue.pd, tissue.t1, tissue.t2, scanner.form))
        for tissue in patient.tissues.values()
    )
    if not brightest > 0:
        raise InputError(
            f"no tissue gives a signal in {reference}; choose another reference or other times."
        )
    gain = BRIGHTEST / brightest
    sigma = scanner.noise * BRIGHTEST
    field = bias_field(grid, body_of(patient), scanner.bias_field, np.random.default_rng(seed))
    images, motions = {}, {}
    for contrast, sequence in sequences.items():
        rng = np.random.default_rng([*seed, zlib.crc32(contrast.encode())])
        moved = draw_motion(scanner.motion, rng)
        motions[contrast] = np.eye(4) if contrast == reference else moved
        fine = signed_image(patient, sequence, scanner.form)
        if not np.array_equal(motions[contrast], np.eye(4)):
            fine = moved_anatomy(fine, grid, moved)
        clean = gain * field * np.abs(grid.averaged(fine))
        images[contrast] = with_rician_noise(clean, sigma, rng) if sigma > 0 else clean
    return Session(images, field, motions, sigma, gain)


def signed_image(patient: VirtualPatient, sequence: Sequence, form: Form) -> Array:
    """Signed signal of each fine voxel, [x, y, fine z], of a patient who has not moved."""
    total = np.zeros(int(np.prod(patient.grid.fine_size)), dtype=np.float32)
    for tissue in patient.voxels.values():
        values = signed_signal(sequence, tissue.pd, tissue.t1, tissue.t2, form)
        total[tissue.where] += tissue.share * values
    return total.reshape(patient.grid.fine_size)


def body_of(patient: VirtualPatient) -> Array:
    """Where at least half of a voxel of the scan is tissue, bool [x, y, z]."""
    total = np.zeros(int(np.prod(patient.grid.fine_size)), dtype=np.float32)
    for tissue in patient.voxels.values():
        total[tissue.where] += tissue.share
    return patient.grid.averaged(total.reshape(patient.grid.fine_size)) > 0.5


def bias_field(grid: Grid, body: Array, share: float, rng: np.random.Generator) -> Array:
    """Draw a smooth field that runs from 1 - share / 2 to 1 + share / 2 over the body.

    Outside the body it goes on, down to 0.1 at least. Float32 [x, y, z].
    """
    lengths = [abs(axis[-1] - axis[0]) for axis in grid.axes]
    shape = [int(np.ceil(length / BIAS_KNOTS)) + 4 for length in lengths]
    raw = grid.averaged(spline_sum(rng.standard_normal(shape), grid, BIAS_KNOTS))
    low, high = raw[body].min(), raw[body].max()
    return np.maximum(1 + share * ((raw - low) / (high - low) - 0.5), 0.1).astype(np.float32)


def draw_motion(motion: Motion, rng: np.random.Generator) -> Array:
    """Draw a rigid motion: any direction and axis, up to the given mm and degrees; 4 x 4."""
    direction, axis = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    angle = np.deg2rad(motion.rotation) * rng.uniform()
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = np.eye(4)
    # Rodrigues' formula.
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = motion.translation * rng.uniform() * direction
    return matrix


def moved_anatomy(fine: Array, grid: Grid, motion: Array) -> Array:
    """Resample [x, y, fine z] so that a point x of it lies at `motion` x afterwards."""
    to_voxel = np.linalg.inv(grid.fine_affine)
    pull = to_voxel @ np.linalg.inv(motion) @ grid.fine_affine
    return ndimage.affine_transform(fine, pull[:3, :3], pull[:3, 3], order=1, output=np.float32)
